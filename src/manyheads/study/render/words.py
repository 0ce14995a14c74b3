"""How tables write numbers."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.study.table import Difference, Interval

PLACES = 4
TICK = "x"


def score(value: float | None) -> str:
    """A metric: .4850; an empty cell where there is none."""
    return "" if value is None else _short(f"{value:.{PLACES}f}")


def signed(value: float) -> str:
    """A difference, its sign always there."""
    text = _short(f"{value:+.{PLACES}f}")
    return text if text.strip("+-.0") else "." + "0" * PLACES


def bounds(found: Interval) -> str:
    """An interval of a metric."""
    return f"[{score(found.low)}, {score(found.high)}]"


def signed_bounds(found: Difference) -> str:
    """An interval of a difference."""
    return f"[{signed(found.low)}, {signed(found.high)}]"


def p_value(p: float | None) -> str:
    """A p value with three places, or its bound."""
    if p is None:
        return ""
    return "<.001" if p < 0.001 else _short(f"{p:.3f}")


def level(name: str) -> str:
    """A factor's level as the reference writes it: "yes" a tick, "no" nothing, else the level's name."""
    return {"yes": TICK, "no": ""}.get(name, name)


def seeds(found: Sequence[int], planned: int) -> str:
    """How many seeds a row has, of how many."""
    return str(len(found)) if len(found) == planned else f"{len(found)} of {planned}"


def epochs(found: Sequence[float | None]) -> str:
    """The epochs of a row's runs: one, or the range of several."""
    known = [epoch for epoch in found if epoch is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"


def _short(number: str) -> str:
    """Without the zero before the point: .4850, -.0123, +.0040."""
    return number.replace("0.", ".", 1) if number.lstrip("+-").startswith("0.") else number
