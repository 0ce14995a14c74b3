"""Sources that are made from other sources.

The rows of several files are one source. Lines with one candidate or one word each are grouped to rows. One pass over a
file serves several tasks that read it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.dotted import Dotted
from manyheads.data.reading.parallel import Parallel
from manyheads.data.reading.rows import BadRow, Row, Source
from manyheads.errors import DataError
from manyheads.tasks.cells import is_missing


class Several:
    """The rows of several sources, one after another. The columns are those that all of them have.

    Raises:
        DataError: The sources have no column in common.
    """

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = tuple(sources)
        first, last = self.sources[0], self.sources[-1]
        self.name = f"{first.name} to {Path(last.name).name} ({len(self.sources)} files)"
        shared = set(first.columns).intersection(*(source.columns for source in self.sources))
        self.columns = tuple(column for column in first.columns if column in shared)
        if not self.columns:
            other = next(source for source in self.sources if not set(source.columns) & set(first.columns))
            raise DataError(
                "the files have no column in common",
                where=f"{first.name} and {other.name}",
                found=f"{', '.join(first.columns)}; and {', '.join(other.columns)}",
                hint="read files with the same columns together, and others in a task of their own",
            )
        self.typed = all(source.typed for source in self.sources)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of all sources."""
        return tuple(warning for source in self.sources for warning in source.warnings)

    @property
    def form(self) -> Mapping[str, object]:
        """The forms of all sources."""
        return {"sources": [[type(source).__name__, dict(source.form)] for source in self.sources]}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the rows of all sources in order. Lines are counted within each file."""
        for source in self.sources:
            for row in source.rows():
                yield row if isinstance(row, BadRow) else replace(row, file=source.name)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the fingerprints of the sources, in order."""
        return hashlib.sha256(" ".join(source.fingerprint() for source in self.sources).encode()).hexdigest()


class Grouped:
    """A source whose rows are the groups of lines of another source that have the same key.

    A column of which the lines have different cells, and each of `listed`, has the list of the cells. A group begins on
    its first line. The lines of a group must follow one another. A group with a line that cannot be read is a bad row.

    Args:
        inner: the source of the lines.
        key: the column of the key.
        listed: columns whose cells are lists also in a group whose lines have equal cells, or that has one line.
        texts: the text columns, which must be equal in all lines of a group.
        words: whether each line has one word of the texts instead. Their cells are then lists, no cell of them may be
            missing, and a line without a key belongs to the group above it.
    """

    def __init__(
        self, inner: Source, key: str, listed: Sequence[str], texts: Sequence[str] = (), *, words: bool = False
    ) -> None:
        self.inner, self.key, self._words = inner, key, words
        self._listed = (*texts, *listed) if words else tuple(listed)
        self._texts = tuple(texts)
        self.name, self.warnings, self.columns = inner.name, inner.warnings, inner.columns
        self.typed = inner.typed

    @property
    def form(self) -> Mapping[str, object]:
        """The form of the source, and the columns of the groups."""
        own = {"key": self.key, "listed": self._listed, "texts": self._texts, "word_per_line": self._words}
        several = [each.name for each in self.inner.sources] if isinstance(self.inner, Several) else []
        return {"of": [type(self.inner).__name__, dict(self.inner.form), several], **own}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield a row for each group, and every line that cannot be read.

        Raises:
            DataError: The lines of a group do not follow one another.
        """
        seen: set[int] = set()
        lines: list[Row] = []
        bad: int | None = None
        fault: int | None = None
        for row in self.inner.rows():
            if isinstance(row, BadRow):
                yield row
                bad = row.line
                continue
            keyless = is_missing(row.values.get(self.key))
            if keyless and not (self._words and lines):
                yield BadRow(row.file or self.name, row.line, f"{self.key!r} is missing")
                continue
            if lines and not keyless and self._key(lines[0]) != self._key(row):
                yield self._group(lines, fault)
                lines, fault = [], None
            elif lines:
                fault = fault or bad
            if not lines:
                self._begin(row, seen)
            lines.append(row)
            bad = None
        if lines:
            yield self._group(lines, fault)

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

    def _group(self, lines: Sequence[Row], fault: int | None) -> Row | BadRow:
        """Return the row of a group. `fault`: a line between its lines that cannot be read."""
        first = lines[0]
        if fault is not None:
            return self._bad(first, f"line {fault} cannot be read, which may be one of")
        values: dict[str, object] = {}
        for column in first.values:
            cells = [line.values.get(column) for line in lines]
            equal = all(cell == cells[0] for cell in cells)
            if column in self._texts:
                if not self._words and not equal:
                    return self._bad(first, f"different cells in {column!r} in")
                missing = next((line.line for line in lines if is_missing(line.values.get(column))), None)
                if self._words and missing is not None:
                    return self._bad(first, f"{column!r} is missing in line {missing} of")
            values[column] = cells if column in self._listed or not equal else cells[0]
        values[self.key] = first.values[self.key]
        warning = next((line.warning for line in lines if line.warning is not None), None)
        return replace(first, values=values, fields=None, warning=warning)

    def _bad(self, first: Row, fault: str) -> BadRow:
        reason = f"{fault} the lines with {self.key!r} {self._key(first)!r}"
        return BadRow(first.file or self.name, first.line, reason)


class LabelDecidesError(Exception):
    """A record may be one row or two, which depends on the label column. Each source must read the file itself."""


def rows_together(sources: Sequence[Source]) -> Iterator[Sequence[Row | BadRow]]:
    """Yield for each record of a file its row in each of several sources, see `read_together`.

    Raises:
        LabelDecidesError: The sources may disagree about a record.
    """
    inner = [_inner(each) for each in sources]
    parts = inner[0].sources if isinstance(inner[0], Several) else (inner[0],)
    judges = [each for each in parts if isinstance(each, Delimited)]
    for row in inner[0].rows():
        if len(sources) > 1 and any(each.ambiguous for each in judges):
            raise LabelDecidesError
        yield [each.row_of(row) if isinstance(each, Dotted) else row for each in sources]


def read_together(sources: Sequence[Source]) -> bool:
    """Return whether one pass gives the rows of all sources: those of one file that differ in their label columns.

    They may have different paths into the cells of JSON. A decimal comma is that of the label column only, so sources
    with one are read apart, and so are sources of groups of lines.
    """
    if len(sources) > 1 and any(isinstance(each, Grouped) for each in sources):
        return False
    inner = [_inner(each) for each in sources]
    first = _whole(inner[0])
    return all(_whole(each) == first for each in inner[1:])


def _inner(source: Source) -> Source:
    return source.inner if isinstance(source, Dotted) else source


def _whole(source: Source) -> object:
    """Return what decides the rows of a source, apart from its label column."""
    files = dict(source.files) if isinstance(source, Parallel) else None
    return (type(source), source.name, source.columns, files, _without_label(dict(source.form)))


def _without_label(form: Any) -> Any:
    if isinstance(form, Mapping):
        comma = form.get("decimal") == ","
        return {key: _without_label(value) for key, value in form.items() if key != "label" or comma}
    return [_without_label(each) for each in form] if isinstance(form, list | tuple) else form
