"""What the cell of a label column holds: nothing, a number, or text."""

from __future__ import annotations

import math

MISSING = "label is missing"
"""The reason given for a row without a label."""

LONGEST_SHOWN = 60


def is_missing(raw: object) -> bool:
    """Whether a cell holds no label: absent, blank, or NaN."""
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return True
    return isinstance(raw, str) and not raw.strip()


def as_number(raw: object) -> float | None:
    """The finite number that a cell is, natively or as text; None for all else, booleans among it.

    Text such as "1_000", which Python would read as a number, is not one: it may well be a name.
    """
    if isinstance(raw, bool):
        return None
    try:
        text = str(raw)
        number = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def shown(raw: object) -> str:
    """A cell as a message quotes it: a long text, from a wrong column perhaps, is cut."""
    text = repr(raw)
    return text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
