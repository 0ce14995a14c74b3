"""Reading: files and hub data sets as streams of rows, every bad row with its place and reason."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.hub import PREFIX, Hub
from manyheads.data.reading.json_lines import JsonLines
from manyheads.data.reading.parquet import Parquet
from manyheads.data.reading.rows import BadRow, Row, Source
from manyheads.errors import DataError, did_you_mean

__all__ = ["READERS", "BadRow", "Row", "Source", "open_source"]

READERS: dict[str, Callable[[Path], Source]] = {
    ".tsv": Delimited,
    ".csv": Delimited,
    ".tab": Delimited,
    ".txt": Delimited,
    ".jsonl": JsonLines,
    ".ndjson": JsonLines,
    ".parquet": Parquet,
}
"""File ending to reader. The ending says which format it is; a delimited file's delimiter is read from its header."""


def open_source(spec: str, folder: Path) -> Source:
    """The rows of a file (relative to `folder`, or absolute) or of a data set on the hub ("hub:...").

    Raises:
        DataError: there is no such file, it may not be read, its ending is unknown, or it is empty.
    """
    if spec.startswith(PREFIX):
        return Hub(spec)
    path = folder / Path(spec).expanduser()
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise DataError("the file's ending is none that can be read", where=str(path), allowed=", ".join(READERS))
    if not path.is_file():
        beside = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        where = str(path)
        hint = did_you_mean(path.name, beside) or "check the path, and data_dir: files are looked for in it"
        raise DataError("there is no such file", where=where, hint=hint)
    if not os.access(path, os.R_OK):
        raise DataError("the file may not be read", where=str(path), hint="give yourself the right to read it")
    if path.stat().st_size == 0:
        raise DataError("the file is empty", where=str(path), allowed="a header or records, then rows")
    return reader(path)
