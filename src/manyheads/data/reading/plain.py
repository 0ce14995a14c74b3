"""Plain lines: a text a line, or two with a tab between them; no header."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from manyheads.data.reading.lines import read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint

EMPTY_LINE = "an empty line"
"""Why a blank line is a bad row."""


class PlainLines:
    """A file without a header, read into the columns given (one or two). A blank line is a row that has no text."""

    def __init__(self, path: Path, columns: tuple[str, ...]) -> None:
        self._path = path
        self.name = str(path)
        self.columns = columns

    def rows(self) -> Iterator[Row | BadRow]:
        """A row a line."""
        for line in read_lines(self._path):
            text = line.text.rstrip("\r\n")
            cells = [text] if len(self.columns) == 1 else text.split("\t")
            if line.fault is not None:
                yield BadRow(self.name, line.number, line.fault)
            elif not text.strip():
                yield BadRow(self.name, line.number, EMPTY_LINE)
            elif len(cells) != len(self.columns):
                reason = f"{len(cells)} texts with tabs between them, not {len(self.columns)}"
                yield BadRow(self.name, line.number, reason)
            else:
                yield Row(line.number, dict(zip(self.columns, cells, strict=True)))

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return file_fingerprint(self._path)
