"""Several files as one source: their rows in order. Each row keeps its own file and line."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from manyheads.data.reading.rows import BadRow, Row, Source
from manyheads.errors import DataError


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
