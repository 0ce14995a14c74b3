"""Files of records: lines `column: cell`, and a blank line after each record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import manyheads
from manyheads.data.reading.formats import Format
from manyheads.data.reading.rows import BadRow, Row, Source, file_fingerprint
from manyheads.data.reading.text_format import TextFormat


class Records:
    typed = False
    warnings: tuple[str, ...] = ()
    form: Mapping[str, object] = {}

    def __init__(self, path: Path) -> None:
        self._path, self.name = path, str(path)
        found = (row.values for row in self.rows() if isinstance(row, Row))
        self.columns = tuple(next(found, {}))

    def rows(self) -> Iterator[Row | BadRow]:
        start, cells = 1, {}
        with self._path.open(encoding="utf-8") as file:
            for number, line in enumerate([*file, "\n"], start=1):
                column, colon, cell = line.strip().partition(": ")
                if colon:
                    start = start if cells else number
                    cells[column] = cell
                elif line.strip():
                    yield BadRow(self.name, number, "the line is not 'column: cell'", fields=(line,))
                elif cells:
                    yield Row(start, cells)
                    cells = {}

    def fingerprint(self) -> str:
        return file_fingerprint(self._path)


def open_records(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del text, wanted, label
    return Records(path)


manyheads.register(Format("records", (".rec",), open_records, compressed=False))
