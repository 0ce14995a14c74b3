"""What a report is made of, in whatever form it is written: headings, text, grids, figures, lists, code."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """A title; `level` 2 begins a part, 3 a part of it."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph. `soft`: an explanation, to be set back."""

    text: str
    soft: bool = False


@dataclass(frozen=True)
class Grid:
    """Rows of cells under columns. `words`: columns of words (the first one always is); `long`: those that may wrap."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = field(default_factory=frozenset)
    long: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Picture:
    """A figure: its file's name without ending, a title, and what it shows in words."""

    name: str
    title: str
    alt: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """Text as it stands in a file."""

    title: str
    text: str


Block = Heading | Text | Grid | Picture | Items | Code
