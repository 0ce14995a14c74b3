"""Rows, bad rows, and what every source of them provides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True)
class Row:
    """One row: the line (from 1) that it begins on, and its cells by column; a cell that is not there is None."""

    line: int
    values: Mapping[str, object]


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: the file, the line that it begins on, and why."""

    source: str
    line: int
    reason: str

    def __str__(self) -> str:
        return f"{self.source}:{self.line}: {self.reason}"


class Source(Protocol):
    """A stream of rows that can be read again from the start; memory does not grow with its length."""

    @property
    def name(self) -> str:
        """What messages call it: the path, or the data set's name."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of its columns; columns without a name are left out."""

    def rows(self) -> Iterator[Row | BadRow]:
        """All rows in order, those that cannot be read as BadRow."""

    def fingerprint(self) -> str:
        """SHA-256 of the content."""


def file_fingerprint(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
