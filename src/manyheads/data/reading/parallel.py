"""One file per column: line k of each file is a cell of row k."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from manyheads.data.reading.lines import Line, read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, PointError, TextFormat, with_point
from manyheads.errors import DataError


class Parallel:
    """Files of lines, one file per column. A line without text is a missing cell. The columns are sorted by name.

    Args:
        files: the path of each column.
        text: how the files are written: their encoding, and the decimal mark of the labels.
        label: the column of the labels that will be read, or None.

    Attributes:
        files: the name of the file of each column, in messages.

    Raises:
        DataError: The files have different numbers of lines.
    """

    typed = False
    warnings: tuple[str, ...] = ()

    def __init__(self, files: Mapping[str, Path], text: TextFormat = USUAL, *, label: str | None = None) -> None:
        self._files = dict(sorted(files.items()))
        self.files = {column: str(path) for column, path in self._files.items()}
        self._text, self._label = text, label
        self.columns = tuple(self._files)
        self.name = _joined(list(dict.fromkeys(self._files.values())))
        self._check_counts()

    @property
    def form(self) -> Mapping[str, object]:
        """The encoding, and the decimal mark of the label column."""
        decimal = [self._text.decimal, self._label] if self._label in self.columns else None
        return {"encoding": self._text.encoding, "decimal": decimal}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield a row for each line.

        Raises:
            DataError: A file has another number of lines by now.
        """
        files = [read_lines(path, self._text.encoding) for path in self._files.values()]
        try:
            for lines in zip(*files, strict=True):
                yield self._row(lines)
        except ValueError:
            self._check_counts()
            raise

    def fingerprint(self) -> str:
        """Return the SHA-256 of the columns' names and of their files. It does not depend on their order."""
        content = "\n".join(f"{column} {file_fingerprint(path)}" for column, path in self._files.items())
        return hashlib.sha256(content.encode("utf-8", "surrogatepass")).hexdigest()

    def _row(self, lines: tuple[Line, ...]) -> Row | BadRow:
        """Return the row of the lines with one number. The first line that cannot be used makes it a bad row."""
        cells = {column: line.text.rstrip("\r\n") for column, line in zip(self._files, lines, strict=True)}
        for column, line in zip(self._files, lines, strict=True):
            if line.fault is not None:
                return BadRow(self.files[column], line.number, line.fault, line.hint, tuple(cells.values()))
        if self._text.decimal == "," and self._label in cells:
            try:
                cells[self._label] = with_point(cells[self._label])
            except PointError as error:
                name = self.files[self._label]
                return BadRow(name, lines[0].number, str(error), error.hint, tuple(cells.values()))
        return Row(lines[0].number, cells, files=self.files)

    def _check_counts(self) -> None:
        counts = {path: sum(1 for _ in read_lines(path, self._text.encoding)) for path in set(self._files.values())}
        (first, *rest) = self._files.values()
        other = next((path for path in rest if counts[path] != counts[first]), None)
        if other is not None:
            raise DataError(
                "the files of the columns have different numbers of lines",
                where=f"{first} and {other}",
                found=f"{counts[first]:,} and {counts[other]:,} lines",
                allowed="one line per row in every file",
                hint="an empty line is a row, too: remove empty lines that only one of the files has",
            )


def _joined(paths: list[Path]) -> str:
    """Return one name for several files: `FOLDER/{label,seq.in}`."""
    if len(paths) == 1:
        return str(paths[0])
    folder = Path(os.path.commonpath([path.parent for path in paths]))
    return str(folder / f"{{{','.join(str(path.relative_to(folder)) for path in paths)}}}")
