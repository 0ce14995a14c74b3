"""JSON lines: one JSON object per line."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from manyheads.data.reading.json_cells import row_of
from manyheads.data.reading.lines import Line, read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError

INSPECTED = 100
"""Objects whose keys are the columns. One object is not enough, because objects may omit keys without a value."""


class JsonLines:
    """A file of JSON objects. Its columns are the keys of its first objects, and the `wanted` keys of later ones.

    Raises:
        DataError: No line is a JSON object with a key.
    """

    typed = True
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, text: TextFormat = USUAL, *, wanted: tuple[str, ...] = ()) -> None:
        self._path, self._encoding = path, text.encoding
        self.name = str(path)
        objects = (row for row in self.rows() if isinstance(row, Row))
        found = dict.fromkeys(key for row in islice(objects, INSPECTED) for key in row.values)
        missing = {column for column in wanted if column not in found}
        while missing and (row := next(objects, None)) is not None:
            found |= dict.fromkeys(column for column in wanted if column in missing and column in row.values)
            missing -= found.keys()
        self.columns = tuple(found)
        if not self.columns:
            bad = next((row for row in self.rows() if isinstance(row, BadRow)), None)
            what, hint = "no line of the file is a JSON object with a key", "write one JSON object per line"
            found_text = None if bad is None else str(bad)
            raise DataError(what, where=str(path), found=found_text, hint=bad.hint if bad and bad.hint else hint)

    @property
    def form(self) -> Mapping[str, object]:
        """The encoding."""
        return {"encoding": self._encoding}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the object of each line. Blank lines are skipped."""
        for line in read_lines(self._path, self._encoding):
            if line.text.strip() or line.fault:
                yield self._row(line)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _row(self, line: Line) -> Row | BadRow:
        text = line.text.rstrip("\r\n")
        if line.fault is not None:
            return BadRow(self.name, line.number, line.fault, line.hint, (text,))
        try:
            content = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            return BadRow(self.name, line.number, f"not valid JSON: {error}", None, (text,))
        return row_of(content, self.name, line.number, text)
