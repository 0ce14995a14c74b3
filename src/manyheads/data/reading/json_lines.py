"""JSON lines: one JSON object per line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from manyheads.data.reading.lines import Line, read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.errors import DataError

INSPECTED = 100
"""Objects whose keys are the columns. One object is not enough, because objects may omit keys without a value."""

JSON_TYPES = {"list": "a list", "str": "a string", "int": "a number", "float": "a number", "bool": "a boolean"}
"""The names of Python's types in messages. None is "null"."""

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonLines:
    """A file of JSON objects. Its columns are the keys of its first objects.

    Raises:
        DataError: No line is a JSON object with a key.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)
        objects = (row for row in self.rows() if isinstance(row, Row))
        self.columns = tuple(dict.fromkeys(key for row in islice(objects, INSPECTED) for key in row.values))
        if not self.columns:
            found = next((str(row) for row in self.rows() if isinstance(row, BadRow)), None)
            what, hint = "no line of the file is a JSON object with a key", "write one JSON object per line"
            raise DataError(what, where=str(path), found=found, hint=hint)

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the object of each line. Blank lines are skipped."""
        for line in read_lines(self._path):
            if line.text.strip() or line.fault:
                yield self._row(line)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _row(self, line: Line) -> Row | BadRow:
        if line.fault is not None:
            return BadRow(self.name, line.number, line.fault)
        try:
            content = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            return BadRow(self.name, line.number, f"not valid JSON: {error}")
        if not isinstance(content, dict):
            found = JSON_TYPES.get(type(content).__name__, "null")
            return BadRow(self.name, line.number, f"{found} where a JSON object is expected")
        if any(isinstance(cell, str) and LONE_SURROGATE.search(cell) for cell in content.values()):
            return BadRow(self.name, line.number, "an invalid character: half of a surrogate pair")
        return Row(line.number, content)
