"""The blocks of a page, independent of its format: headings, text, grids, figures, lists and code."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Heading:
    """A heading. `level`: 2 begins a section, 3 a subsection."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph. `soft`: an explanation in a lighter colour."""

    text: str
    soft: bool = False


@dataclass(frozen=True)
class Grid:
    """A table. `words`: the left-aligned columns (the first column always is). `long`: the columns that may wrap."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = field(default_factory=frozenset)
    long: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Picture:
    """A figure. `name`: its file name without extension. `alt`: its content in words."""

    name: str
    title: str
    alt: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """The verbatim text of a file."""

    title: str
    text: str


Block = Heading | Text | Grid | Picture | Items | Code
