"""Rows of which each line of a file has one candidate. The lines of one row follow one another and share a key."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from manyheads.data.reading.rows import BadRow, Row, Source
from manyheads.data.reading.several import Several
from manyheads.errors import DataError
from manyheads.tasks.cells import is_missing


class Grouped:
    """A source whose rows are the groups of lines of another source that have the same key.

    A column of which the lines have different cells, and each of `listed`, has the list of the cells. A group begins on
    its first line. The lines of a group must follow one another.

    Args:
        inner: the source of the lines.
        key: the column of the key.
        listed: columns whose cells are lists also in a group whose lines have equal cells, or that has one line.
        shared: columns that must be equal in all lines of a group.
    """

    def __init__(self, inner: Source, key: str, listed: Sequence[str], shared: Sequence[str] = ()) -> None:
        self.inner, self.key = inner, key
        self._listed, self._shared = tuple(listed), tuple(shared)
        self.name, self.warnings, self.columns = inner.name, inner.warnings, inner.columns
        self.typed = inner.typed

    @property
    def form(self) -> Mapping[str, object]:
        """The form of the source, and the columns of the groups."""
        own = {"key": self.key, "listed": self._listed, "shared": self._shared}
        several = [each.name for each in self.inner.sources] if isinstance(self.inner, Several) else []
        return {"of": [type(self.inner).__name__, dict(self.inner.form), several], **own}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield a row for each group, and every line that cannot be read.

        Raises:
            DataError: The lines of a group do not follow one another.
        """
        seen: set[int] = set()
        lines: list[Row] = []
        for row in self.inner.rows():
            if isinstance(row, BadRow):
                yield row
                continue
            if is_missing(row.values.get(self.key)):
                yield BadRow(row.file or self.name, row.line, f"{self.key!r} is missing")
                continue
            if lines and self._key(lines[0]) != self._key(row):
                yield self._group(lines)
                lines = []
            if not lines:
                self._begin(row, seen)
            lines.append(row)
        if lines:
            yield self._group(lines)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the source."""
        return self.inner.fingerprint()

    def _key(self, row: Row) -> str:
        return str(row.values[self.key])

    def _begin(self, row: Row, seen: set[int]) -> None:
        """Note the key of a group that begins. 64 bits of each key are kept, not its text."""
        number = hash(self._key(row))
        if number in seen:
            raise DataError(
                f"the lines with one value of {self.key!r} do not follow one another",
                where=f"{row.file or self.name}:{row.line}",
                found=f"{self._key(row)!r} again, after lines with other values",
                hint=f"sort the file by the column {self.key!r}",
            )
        seen.add(number)

    def _group(self, lines: Sequence[Row]) -> Row | BadRow:
        first = lines[0]
        values: dict[str, object] = {}
        for column in first.values:
            cells = [line.values.get(column) for line in lines]
            equal = all(cell == cells[0] for cell in cells)
            if not equal and column in self._shared:
                reason = f"the lines with {self.key!r} {self._key(first)!r} have different cells in {column!r}"
                return BadRow(first.file or self.name, first.line, reason)
            values[column] = cells if column in self._listed or not equal else cells[0]
        warning = next((line.warning for line in lines if line.warning is not None), None)
        return replace(first, values=values, fields=None, warning=warning)
