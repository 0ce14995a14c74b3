"""Reading: files and data sets of the hub as streams of rows. Every bad row has its line and its reason."""

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
"""The reader of each file ending. The delimiter of a delimited file is detected in its header."""


def open_source(spec: str, folder: Path) -> Source:
    """Open a file (relative to `folder`, or absolute) or a data set on the hub ("hub:...") as a source of rows.

    Raises:
        DataError: The file does not exist, is not readable, is empty, or has an unsupported ending.
    """
    if spec.startswith(PREFIX):
        return Hub(spec)
    path = folder / Path(spec).expanduser()
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        hint = "convert the file, or rename it if its format is one of those"
        what, ending = "unsupported file ending", path.suffix or "no ending"
        raise DataError(what, where=str(path), found=ending, allowed=", ".join(READERS), hint=hint)
    if not path.is_file():
        neighbours = [each.name for each in path.parent.iterdir()] if path.parent.is_dir() else []
        hint = did_you_mean(path.name, neighbours) or "check the file name, and data_dir if the name is relative"
        raise DataError("there is no such file", where=str(path), hint=hint)
    if not os.access(path, os.R_OK):
        raise DataError("no permission to read the file", where=str(path), hint="change the file's permissions")
    if path.stat().st_size == 0:
        hint = "check that the file was written completely"
        raise DataError("the file is empty", where=str(path), allowed="at least one row", hint=hint)
    return reader(path)
