"""JSON lines: one object a line."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

from manyheads.data.reading.lines import Line, read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.errors import DataError


class JsonLines:
    """A file of JSON objects. Its columns are the keys of its first object.

    Raises:
        DataError: no line of it is an object.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.name = str(path)
        first = next((row for row in self.rows() if isinstance(row, Row)), None)
        if first is None:
            raise DataError("no line of the file is a JSON object", where=str(path))
        self.columns = tuple(first.values)

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
        except (json.JSONDecodeError, RecursionError) as error:
            return BadRow(self.name, line.number, f"not JSON: {error}")
        if not isinstance(content, dict):
            return BadRow(self.name, line.number, f"a JSON {type(content).__name__} where an object should be")
        return Row(line.number, content)
