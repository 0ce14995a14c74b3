"""Reading: files and data sets of the hub as streams of rows. Every bad row has its line and its reason."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import overload

from manyheads.data.reading.combined import Several
from manyheads.data.reading.dotted import listed_columns, with_paths
from manyheads.data.reading.formats import FORMATS, endings, format_for
from manyheads.data.reading.hub import PREFIX, Hub
from manyheads.data.reading.parallel import Parallel
from manyheads.data.reading.paths import check_readable, find_files
from manyheads.data.reading.rows import BadRow, Row, Source
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError
from manyheads.run.names import user_path

__all__ = [
    "FORMATS",
    "BadRow",
    "Files",
    "Row",
    "Several",
    "Source",
    "TextFormat",
    "endings",
    "files_name",
    "files_of",
    "format_for",
    "from_here",
    "listed_columns",
    "open_file",
    "open_source",
]

Files = str | Sequence[str] | Mapping[str, str]
"""The files of a split: one, several that are read in order, or one for each column."""


def open_source(
    spec: Files,
    folder: Path,
    text: TextFormat = USUAL,
    *,
    wanted: Sequence[str] = (),
    label: str | None = None,
    optional: Sequence[str] = (),
) -> Source:
    """Open files or a data set on the hub as a source of rows.

    Args:
        spec: a file, a folder of files, a pattern, or a data set ("hub:..."); or a list of these, read in order; or the
            file of each column.
        folder: paths are relative to it, unless they are absolute.
        text: how the files are written.
        wanted: columns that the rows must have, or dotted paths into them. They help to find the delimiter; a missing
            one is not an error here.
        label: the column of the labels that will be read, or a dotted path, or None.
        optional: further names that may be dotted paths.

    Raises:
        DataError: A file does not exist, is not readable, is empty, or has an unsupported ending.
    """
    if isinstance(spec, Mapping):
        return _open_columns(spec, folder, text, label)
    sources: list[Source] = []
    for each in [spec] if isinstance(spec, str) else spec:
        if each.startswith(PREFIX):
            sources.append(Hub(each))
        else:
            paths = find_files(each, folder, endings(text.format))
            sources += [open_file(path, text, wanted=wanted, label=label) for path in paths]
    names = [*wanted, *optional, *([] if label is None else [label])]
    sources = [with_paths(source, names) for source in sources]
    return sources[0] if len(sources) == 1 else Several(sources)


def open_file(path: Path, text: TextFormat = USUAL, *, wanted: Sequence[str] = (), label: str | None = None) -> Source:
    """Open one file as a source of rows. `text` or its ending decides its format.

    Raises:
        DataError: The file does not exist, is not readable, is empty, or has an unsupported ending.
    """
    found = format_for(path, text)
    _check_permission(path)
    return found.open(path, text, tuple(wanted), label)


def _open_columns(files: Mapping[str, str], folder: Path, text: TextFormat, label: str | None) -> Source:
    """Open the file of each column."""
    if not files:
        raise DataError("no file is named", allowed="a file for each column")
    paths: dict[str, Path] = {}
    for column, file in files.items():
        if file.startswith(PREFIX):
            hint = "name the data set instead of the table, and its columns with text and label"
            raise DataError("the file of a column cannot be a data set on the hub", where=file, hint=hint)
        paths[column] = folder / user_path(file)
        _check_permission(paths[column])
    return Parallel(paths, text, label=label)


def _check_permission(path: Path) -> None:
    check_readable(path)
    if not os.access(path, os.R_OK):
        raise DataError("no permission to read the file", where=str(path), hint="change the file's permissions")


@overload
def from_here(spec: str) -> str: ...
@overload
def from_here(spec: Files) -> Files: ...
def from_here(spec: Files) -> Files:
    """Return a path that was typed, which is relative to the current folder, as an absolute one; or several."""
    if isinstance(spec, Mapping):
        return {column: from_here(file) for column, file in spec.items()}
    if not isinstance(spec, str):
        return [from_here(file) for file in spec]
    return spec if spec.startswith(PREFIX) else str(user_path(spec).absolute())


def files_of(spec: Files) -> list[str]:
    """Return every file that a key of a recipe names, in the order of the key."""
    if isinstance(spec, str):
        return [spec]
    return list(spec.values()) if isinstance(spec, Mapping) else list(spec)


def files_name(spec: Files) -> str:
    """Return the files of a recipe's key as one text, for messages and as a key of provenance.json.

    Files of columns are sorted by column, so that the order of the columns does not matter.
    """
    if isinstance(spec, Mapping):
        return ", ".join(f"{column}={file}" for column, file in sorted(spec.items()))
    return ", ".join(files_of(spec))
