"""Interpret a cell of a label column: missing, a number, or text."""

from __future__ import annotations

import math

MISSING = "label is missing"
"""The reason that is reported for a row without a label."""

LONGEST_QUOTE = 60
"""Characters of a cell that a message quotes."""


def is_missing(raw: object) -> bool:
    """Return whether a cell is missing: absent, blank, or NaN."""
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return True
    return isinstance(raw, str) and not raw.strip()


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
