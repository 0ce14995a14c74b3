"""Tests against a margin: whether a difference is smaller than what matters.

The one-sided tests and the intervals of a difference come from the same variance components, so they agree at every
level: a difference is above -margin with one-sided p below .05 if its 90% interval is.
"""

from __future__ import annotations

from dataclasses import dataclass

from manyheads.evaluation.estimate import Estimate, p_value

ERROR = 0.10
"""1 - level of the interval of two one-sided tests at 5%."""


@dataclass(frozen=True)
class AgainstMargin:
    """A difference against a margin.

    `low`, `high`: the 90% interval. `p_not_worse`: the one-sided p value of the hypothesis that the true difference is
    -margin or less (non-inferiority). `p_equivalent`: the p value of the hypothesis that its size is the margin or more
    (two one-sided tests, Schuirmann 1987). The p values are None if there are too few seeds.
    """

    low: float
    high: float
    p_not_worse: float | None
    p_equivalent: float | None


def against_margin(estimate: Estimate, margin: float) -> AgainstMargin | None:
    """Test a difference against a margin above 0. None if the estimate has no variance components."""
    if estimate.parts is None:
        return None
    half = estimate.parts.half_width(ERROR)
    above, below = above_by(estimate, -margin), above_by(estimate, margin)
    equivalent = None if above is None or below is None else max(above, 1 - below)
    return AgainstMargin(estimate.mean - half, estimate.mean + half, above, equivalent)


def above_by(estimate: Estimate, value: float) -> float | None:
    """Return the one-sided p value of the hypothesis that the true value is at most `value`. None without a test."""
    if estimate.p is None or estimate.parts is None:
        return None
    distance = estimate.mean - value
    half = p_value(distance, estimate.parts) / 2
    return half if distance > 0 else 1 - half
