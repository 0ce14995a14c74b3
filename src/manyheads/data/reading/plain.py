"""Plain lines without a header: one text per line, or two texts separated by a tab."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from manyheads.data.reading.lines import read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat

EMPTY_LINE = "an empty line"
"""The reason that is reported for a blank line."""


class PlainLines:
    """A file without a header that is read into one or two given columns. A blank line is a bad row."""

    typed = False
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, columns: tuple[str, ...], text: TextFormat = USUAL) -> None:
        self._path, self._encoding = path, text.encoding
        self.name = str(path)
        self.columns = columns

    @property
    def form(self) -> Mapping[str, object]:
        """The encoding."""
        return {"encoding": self._encoding}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield one row per line."""
        for line in read_lines(self._path, self._encoding):
            text = line.text.rstrip("\r\n")
            cells = [text] if len(self.columns) == 1 else text.split("\t")
            if line.fault is not None:
                yield BadRow(self.name, line.number, line.fault, line.hint, (text,))
            elif not text.strip():
                yield BadRow(self.name, line.number, EMPTY_LINE, None, (text,))
            elif len(cells) != len(self.columns):
                count = "1 text" if len(cells) == 1 else f"{len(cells)} texts"
                reason = f"{count} where {len(self.columns)} texts separated by a tab are expected"
                yield BadRow(self.name, line.number, reason, None, tuple(cells))
            else:
                yield Row(line.number, dict(zip(self.columns, cells, strict=True)), tuple(cells))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)
