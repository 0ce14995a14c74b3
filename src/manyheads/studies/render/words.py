"""Number formats of tables."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.pages.words import without_zero
from manyheads.studies.table import Difference, Interval, Looks, TableRow

PLACES = 4
TICK = "x"


def score(value: float | None) -> str:
    """Format a metric as .4850. None gives an empty cell."""
    return "" if value is None else without_zero(f"{value:.{PLACES}f}")


def signed(value: float) -> str:
    """Format a difference with its sign."""
    text = without_zero(f"{value:+.{PLACES}f}")
    return text if text.strip("+-.0") else "." + "0" * PLACES


def bounds(interval: Interval) -> str:
    """Format the interval of a metric. An unknown one is empty."""
    return "" if interval.low is None or interval.high is None else f"[{score(interval.low)}, {score(interval.high)}]"


def range_of(low: float, high: float) -> str:
    """Format the bounds of a number. Equal ones are empty."""
    return "" if low == high else f"[{detectable(low)}, {detectable(high)}]"


def detectable(value: float) -> str:
    """Format a smallest difference. One that no metric can have is named so."""
    return "over 1" if value > 1 else score(value)


def share(value: float) -> str:
    """Format a probability as a percentage, never as 0% or 100%."""
    return "<1%" if value < 0.005 else ">99%" if value >= 0.995 else f"{value:.0%}"


def share_range(low: float, high: float) -> str:
    """Format the bounds of a probability. Equal ones are empty."""
    return "" if low == high else f"[{share(low)}, {share(high)}]"


def signed_bounds(difference: Difference | Interval) -> str:
    """Format the interval of a difference. An unknown one is empty."""
    if difference.low is None or difference.high is None:
        return ""
    return f"[{signed(difference.low)}, {signed(difference.high)}]"


def p_values(looks: Looks | None) -> str:
    """Return what the p values of a table are: those of one test, of a planned look, or unadjusted ones."""
    if looks is None:
        return "one test"
    return "unadjusted" if looks.unadjusted else f"look {looks.look} of {len(looks.planned)}"


def p_title(title: str, looks: Looks | None) -> str:
    """Return the title of a column of p values, which names unadjusted ones and those over all looks."""
    if looks is None or title not in ("p", "p (Holm)"):
        return title
    if looks.unadjusted:
        return "p (unadjusted)" if title == "p" else "p (Holm, unadjusted)"
    return title if title == "p" else "p (Holm, looks)"


def level(name: str) -> str:
    """Format the level of a factor: "yes" is a tick, "no" is empty, other levels are shown by name."""
    return {"yes": TICK, "no": ""}.get(name, name)


def seeds(finished: Sequence[int], planned: int) -> str:
    """Format the number of finished seeds: "3", or "2 of 3"."""
    return str(len(finished)) if len(finished) == planned else f"{len(finished)} of {planned}"


def seed_list(seeds: Sequence[int]) -> str:
    """Format numbers of seeds with their noun: "seed 1", "seeds 1, 2"."""
    return f"{'seed' if len(seeds) == 1 else 'seeds'} {', '.join(map(str, seeds))}"


def collapses(row: TableRow) -> str:
    """Format the number of collapsed seeds: "2 of 5 collapsed". Empty without any."""
    return f"{len(row.collapsed)} of {len(row.seeds)} collapsed" if row.collapsed else ""


def epochs(of_runs: Sequence[float | None]) -> str:
    """Format the epochs of the runs of a row: "2", or the range "1 to 2"."""
    known = [epoch for epoch in of_runs if epoch is not None]
    if not known:
        return ""
    low, high = min(known), max(known)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
