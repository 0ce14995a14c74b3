"""Rows, bad rows, and the interface of a source of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Row:
    """A row: the line (from 1) on which it begins, and its cells by column."""

    line: int
    values: Mapping[str, object]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: the file, the line on which it begins, and the reason."""

    source: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"


class Source(Protocol):
    """A stream of rows that can be read repeatedly. Its memory does not grow with the number of rows."""

    @property
    def name(self) -> str:
        """The name in messages: the path, or the name of the data set."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns. Columns without a name are ignored."""

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield all rows in order. A row that cannot be read is a BadRow."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the content."""


def file_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
