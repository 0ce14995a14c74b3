"""Interpret a cell of a label column: missing, a number, or text."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

MISSING = "label is missing"
"""The reason that is reported for a row without a label."""

MOSTLY = 0.99
"""A column is numeric if at least this share of its cells are numbers. The other cells count as mistakes."""

LONGEST_QUOTE = 60
"""Characters of a cell that a message quotes."""


def is_missing(raw: object) -> bool:
    """Return whether a cell is missing: absent, blank, or NaN."""
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return True
    return isinstance(raw, str) and not raw.strip()


class Columns(dict[str, object]):
    """The cells of several columns of a row, by column. Another mapping is the content of one cell."""


def label_cell(values: Mapping[str, object], columns: Sequence[str]) -> object:
    """Return the cell of the label column of a row, or the cells of several columns. None if all are missing."""
    if len(columns) == 1:
        return values.get(columns[0])
    cells = Columns((column, values.get(column)) for column in columns)
    return None if all(map(is_missing, cells.values())) else cells


class ClassName(str):
    """The name of a class in data that has a number for it. It equals its text. `number`: that number."""

    __slots__ = ("number",)

    number: int

    def __new__(cls, name: str, number: int) -> ClassName:
        """Create a name."""
        made = super().__new__(cls, name)
        made.number = number
        return made


def spelled_number(text: str) -> int | float | None:
    """Return the number that a text spells in Python's own form, or None.

    "7", "-3", "0.5" and "1e+20" are numbers. "007", "+1", "1.10", "1E2" and "nan" are not: they may be names, and
    another spelling would be another name.
    """
    try:
        whole = int(text)
        if str(whole) == text:
            return whole
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and str(number) == text else None


def spelled_boolean(text: str) -> bool | None:
    """Return the boolean that a text spells, in any case, or None."""
    return {"true": True, "false": False}.get(text.lower())


def as_number(raw: object) -> float | None:
    """Return the finite number in a cell, which may be a number or text. None for everything else.

    Booleans are not numbers. Neither is text such as "1_000", although Python accepts it: it may be a name.
    """
    if isinstance(raw, bool):
        return None
    try:
        text = str(raw)
        number = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def quoted(raw: object) -> str:
    """Return a cell as a message quotes it. A long text, for example from a wrong column, is truncated."""
    text = repr(raw)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."
