"""The extra files of texts for pretraining: one text per line."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.reading import BadRow
from manyheads.data.reading.hub import PREFIX
from manyheads.data.reading.paths import check_readable, find_files
from manyheads.data.reading.plain import EMPTY_LINE, PlainLines
from manyheads.data.reading.rows import Source
from manyheads.data.reading.several import Several
from manyheads.errors import DataError

ENDINGS = (".txt",)
"""The ending of the files that are read in a folder. It may be followed by the ending of a compression."""


def pretraining_texts(folder: Path, name: str) -> list[str]:
    """Return the texts of a file, a folder or a pattern, which is relative to `folder` or absolute.

    Empty lines, which separate paragraphs, are left out.

    Raises:
        DataError: There is no such file, or a line cannot be read.
    """
    texts = []
    for row in _open(folder, name).rows():
        if isinstance(row, BadRow):
            if row.reason == EMPTY_LINE:
                continue
            raise DataError("a line cannot be read", where=f"{row.source}:{row.line}", found=row.reason)
        texts.append(str(row.values["text"]))
    return texts


def pretraining_fingerprint(folder: Path, name: str) -> str:
    """Return the SHA-256 of a file of texts for pretraining, or of the fingerprints of several files in order.

    Raises:
        DataError: There is no such file.
    """
    return _open(folder, name).fingerprint()


def _open(folder: Path, name: str) -> Source:
    """Open the file or files that one entry of `pretraining.files` names."""
    if name.startswith(PREFIX):
        hint = "write the texts of the data set to a file, one per line"
        raise DataError("a data set on the hub cannot be named here", where="pretraining.files", found=name, hint=hint)
    paths = find_files(name, folder, ENDINGS)
    for path in paths:
        check_readable(path)
    sources: list[Source] = [PlainLines(path, ("text",)) for path in paths]
    return sources[0] if len(sources) == 1 else Several(sources)
