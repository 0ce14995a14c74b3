"""Rows, bad rows, and the interface of a source of rows."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from manyheads.data.given import given_row


@dataclass(frozen=True)
class Row:
    """A row: the line (from 1) on which it begins, and its cells by column.

    `fields`: all fields in the order of a delimited file, also those of columns without a name. Otherwise None.
    `warning`: why the row may not be what its author meant, or None. `file`: its file if the source has several.
    `files`: the file of each column if every column has a file of its own. `added`: names among `values` that are not
    columns of the file but paths into its cells.
    """

    line: int
    values: Mapping[str, object]
    fields: tuple[str, ...] | None = field(default=None, compare=False, repr=False)
    warning: str | None = field(default=None, compare=False)
    file: str | None = field(default=None, compare=False)
    files: Mapping[str, str] | None = field(default=None, compare=False, repr=False)
    added: frozenset[str] = field(default=frozenset(), compare=False, repr=False)


@dataclass(frozen=True)
class BadRow:
    """A row that cannot be used: the file, the line on which it begins, and the reason.

    `hint`: what to do about rows with this reason, if that is known. `fields`: what was read of the row: its fields,
    or its text as the only one.
    """

    source: str
    line: int
    reason: str
    hint: str | None = field(default=None, compare=False)
    fields: tuple[str, ...] = field(default=(), compare=False, repr=False)

    def __str__(self) -> str:
        place = given_row(self.source, self.line) or f"{self.source}:{self.line}"
        return f"{place}: {self.reason}"


class Source(Protocol):
    """A stream of rows that can be read repeatedly. Its memory does not grow with the number of rows."""

    @property
    def name(self) -> str:
        """The name in messages, which is the path or the name of the data set."""

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the columns. Columns without a name are ignored."""

    @property
    def typed(self) -> bool:
        """Whether cells have types, so that text is text. Otherwise every cell is text, and may spell a number."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """What was suspicious when the source was opened, with its name."""

    @property
    def form(self) -> Mapping[str, object]:
        """Everything but the content that decides the rows, as JSON values. It is part of the key of a cache entry."""

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield all rows in order. A row that cannot be read is a BadRow."""

    def fingerprint(self) -> str:
        """Return the SHA-256 of the content."""


def file_fingerprint(path: Path) -> str:
    """Return the SHA-256 of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
