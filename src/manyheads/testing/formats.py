"""The contract of formats of files."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from manyheads.data.reading.formats import Format
from manyheads.data.reading.rows import BadRow, Row
from manyheads.data.reading.text_format import TextFormat
from manyheads.testing.ensure import ensure


def check_format(entry: Format, file: Path, columns: Sequence[str]) -> None:
    """Check a format on an example file.

    Rows have the columns, are in the order of their lines, and are the same each time they are read. The source has a
    name, a fingerprint of 64 hexadecimal digits, and a form in values of JSON.

    Args:
        entry: the format.
        file: a file of the format with at least one row.
        columns: the columns of the file.

    Raises:
        AssertionError: The format does not keep the contract.
    """
    ensure(file.suffix.lower() in entry.endings, f"{entry.name}: {file.name} has none of the endings {entry.endings}")
    source = entry.open(file, TextFormat(), tuple(columns), None)
    ensure(str(file) in source.name, f"{entry.name}: the name {source.name!r} does not contain the path")
    missing = [column for column in columns if column not in source.columns]
    ensure(not missing, f"{entry.name}: the file lacks the columns {missing}, it has {list(source.columns)}")
    rows = list(source.rows())
    ensure(any(isinstance(row, Row) for row in rows), f"{entry.name}: the file has no rows")
    ensure(list(source.rows()) == rows, f"{entry.name}: reading the rows again gives other rows")
    lines = [row.line for row in rows]
    ensure(lines == sorted(lines) and lines[0] >= 1, f"{entry.name}: the lines of the rows are not in order")
    for row in rows:
        if isinstance(row, BadRow):
            ensure(bool(row.reason), f"{entry.name}: the bad row of line {row.line} has no reason")
            continue
        absent = [column for column in columns if column not in row.values]
        ensure(not absent, f"{entry.name}: the row of line {row.line} lacks {absent}")
        text = all(isinstance(cell, str) for cell in row.values.values())
        ensure(source.typed or text, f"{entry.name}: cells are not text, so set typed to True")
    print_ = source.fingerprint()
    ensure(len(print_) == 64 and set(print_) <= set("0123456789abcdef"), f"{entry.name}: the fingerprint is {print_!r}")
    json.dumps(dict(source.form))
