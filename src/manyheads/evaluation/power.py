"""Statistical power: the smallest difference that a study can detect."""

from __future__ import annotations

import math

from scipy import optimize, stats


def detectable(se: float, df: float, *, comparisons: int = 1, level: float = 0.05, power: float = 0.8) -> float:
    """Return the true difference that a two-sided t test detects with this power at `level / comparisons`.

    `se`, `df`: the standard error and degrees of freedom of the difference; `df` may be infinite. Holm's correction is
    at least as powerful as Bonferroni's, so a study detects this difference with at least this power.
    """
    if se == 0:
        return 0.0
    df = min(df, 1e6)
    critical = float(stats.t.isf(level / comparisons / 2, df))

    def lacking(shift: float) -> float:
        return _power(critical, df, shift) - power

    # The power rises to 1 with the shift, so a few doublings bracket the solution.
    high = critical + 1.0
    while lacking(high) < 0:
        high *= 2
    return se * float(optimize.brentq(lacking, 0.0, high))


def _power(critical: float, df: float, shift: float) -> float:
    """Return the probability that |T| exceeds `critical` for a noncentral t variable T."""
    if df >= 1e6:
        return float(stats.norm.sf(critical - shift) + stats.norm.cdf(-critical - shift))
    upper, lower = float(stats.nct.sf(critical, df, shift)), float(stats.nct.cdf(-critical, df, shift))
    # scipy returns NaN in the far tails of the noncentral t distribution, where the probability is 0.
    return (0.0 if math.isnan(upper) else upper) + (0.0 if math.isnan(lower) else lower)
