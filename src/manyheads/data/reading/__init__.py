"""Reading: files and data sets of the hub as streams of rows. Every bad row has its line and its reason."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from manyheads.data.reading.binary import COMPRESSIONS, uncompressed_name
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.hub import PREFIX, Hub
from manyheads.data.reading.json_array import open_json
from manyheads.data.reading.json_lines import JsonLines
from manyheads.data.reading.parquet import Parquet
from manyheads.data.reading.paths import check_readable, find_files
from manyheads.data.reading.rows import BadRow, Row, Source
from manyheads.data.reading.several import Several
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError
from manyheads.run.names import user_path

__all__ = [
    "READERS",
    "BadRow",
    "Row",
    "Several",
    "Source",
    "TextFormat",
    "files_name",
    "from_here",
    "open_file",
    "open_source",
]

Reader = Callable[[Path, TextFormat, tuple[str, ...], str | None], Source]
"""Opens a file: its path, how it is written, the columns that it must have, and the column of the labels."""


def _delimited(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    return Delimited(path, text, wanted=wanted, label=label)


def _json_lines(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del label
    return JsonLines(path, text, wanted=wanted)


def _json(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del label
    return open_json(path, text, wanted=wanted)


def _parquet(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del text, wanted, label
    return Parquet(path)


READERS: dict[str, Reader] = {
    ".tsv": _delimited,
    ".csv": _delimited,
    ".tab": _delimited,
    ".txt": _delimited,
    ".jsonl": _json_lines,
    ".ndjson": _json_lines,
    ".json": _json,
    ".parquet": _parquet,
}
"""The reader of each file ending. All but .parquet may be followed by the ending of a compression."""


def open_source(
    spec: str | Sequence[str],
    folder: Path,
    text: TextFormat = USUAL,
    *,
    wanted: Sequence[str] = (),
    label: str | None = None,
) -> Source:
    """Open files or a data set on the hub as a source of rows.

    Args:
        spec: a file, a folder of files, a pattern, or a data set ("hub:..."); or a list of these, read in order.
        folder: paths are relative to it, unless they are absolute.
        text: how text files are written.
        wanted: columns that the rows must have. They help to find the delimiter; a missing one is not an error here.
        label: the column of the labels that will be read, or None.

    Raises:
        DataError: A file does not exist, is not readable, is empty, or has an unsupported ending.
    """
    specs = [spec] if isinstance(spec, str) else list(spec)
    sources: list[Source] = []
    for each in specs:
        if each.startswith(PREFIX):
            sources.append(Hub(each))
        else:
            sources += [open_file(path, text, wanted=wanted, label=label) for path in find_files(each, folder, READERS)]
    return sources[0] if len(sources) == 1 else Several(sources)


def open_file(path: Path, text: TextFormat = USUAL, *, wanted: Sequence[str] = (), label: str | None = None) -> Source:
    """Open one file as a source of rows. Its ending decides its format.

    Raises:
        DataError: The file does not exist, is not readable, is empty, or has an unsupported ending.
    """
    unpacked = uncompressed_name(path)
    reader = READERS.get(unpacked.suffix.lower())
    if reader is None or (reader is _parquet and unpacked != path):
        hint = "convert the file, or rename it if its format is one of those"
        what, ending = "unsupported file ending", "".join(path.suffixes[-2:]) if unpacked != path else path.suffix
        packed = f"; all but .parquet also with {' or '.join(COMPRESSIONS)}"
        raise DataError(
            what, where=str(path), found=ending or "no ending", allowed=", ".join(READERS) + packed, hint=hint
        )
    check_readable(path)
    if not os.access(path, os.R_OK):
        raise DataError("no permission to read the file", where=str(path), hint="change the file's permissions")
    return reader(path, text, tuple(wanted), label)


def from_here(spec: str) -> str:
    """Return a path that was typed, which is relative to the current folder, as an absolute one."""
    return spec if spec.startswith(PREFIX) else str(user_path(spec).absolute())


def files_name(spec: str | Sequence[str]) -> str:
    """Return the files of a recipe's key as one text, for messages and as a key of provenance.json."""
    return spec if isinstance(spec, str) else ", ".join(spec)
