"""JSON lines: one object a line."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from manyheads.data.reading.lines import Line, read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.errors import DataError

LOOKED_AT = 100
"""Objects whose keys make the columns: a key without a value may be left out of some."""

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


class JsonLines:
    """A file of JSON objects. Its columns are the keys of its first objects.

    Raises:
        DataError: no line of it is an object.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)
        objects = (row for row in self.rows() if isinstance(row, Row))
        self.columns = tuple(dict.fromkeys(key for row in islice(objects, LOOKED_AT) for key in row.values))
        if not self.columns:
            found = next((str(row) for row in self.rows() if isinstance(row, BadRow)), None)
            raise DataError("no line of the file is a JSON object with a key", where=str(path), found=found)

    def rows(self) -> Iterator[Row | BadRow]:
        """An object a line; blank lines are passed over."""
        for line in read_lines(self._path):
            if line.text.strip() or line.fault:
                yield self._row(line)

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _row(self, line: Line) -> Row | BadRow:
        if line.fault is not None:
            return BadRow(self.name, line.number, line.fault)
        try:
            content = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            return BadRow(self.name, line.number, f"not JSON: {error}")
        if not isinstance(content, dict):
            return BadRow(self.name, line.number, f"a JSON {type(content).__name__} where an object should be")
        if any(isinstance(cell, str) and LONE_SURROGATE.search(cell) for cell in content.values()):
            return BadRow(self.name, line.number, "half of a surrogate pair, which is no character")
        return Row(line.number, content)
