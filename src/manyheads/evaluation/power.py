"""Power: the smallest difference that a study would have found."""

from __future__ import annotations

import math

from scipy import optimize, stats


def detectable(se: float, df: float, *, comparisons: int = 1, level: float = 0.05, power: float = 0.8) -> float:
    """The true difference that a two-sided t test finds with this power, at `level / comparisons` (Bonferroni).

    `se`, `df`: the standard error and degrees of freedom of the difference; `df` may be infinite. Holm's correction
    is never weaker than Bonferroni's, so that the study finds this difference with at least this power.
    """
    if se == 0:
        return 0.0
    df = min(df, 1e6)
    critical = float(stats.t.isf(level / comparisons / 2, df))

    def lacking(shift: float) -> float:
        return _found(critical, df, shift) - power

    # Above shift = critical + 1 unit at a time the power rises to 1; a few doublings always bracket it.
    high = critical + 1.0
    while lacking(high) < 0:
        high *= 2
    return se * float(optimize.brentq(lacking, 0.0, high))


def _found(critical: float, df: float, shift: float) -> float:
    """The chance that |T| passes `critical` where T is noncentral t."""
    if df >= 1e6:
        return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    upper, lower = float(stats.nct.sf(critical, df, shift)), float(stats.nct.cdf(-critical, df, shift))
    # Far tails of the noncentral t come out as NaN; there they are 0.
    return (0.0 if math.isnan(upper) else upper) + (0.0 if math.isnan(lower) else lower)
