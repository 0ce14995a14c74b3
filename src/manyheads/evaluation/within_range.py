"""Intervals that stay within the range of a metric and never have zero width."""

from __future__ import annotations

import math
from collections.abc import Sequence

from scipy import special

from manyheads.evaluation.sample import Sample

END = 1e-12


def within_range(mean: float, squared: float, row: Sequence[Sample], error: float) -> tuple[float, float]:
    """Return the interval of a metric, or of the mean of several, from the half width of a normal interval.

    Correlations have an interval on the scale of Fisher's z (Fisher 1921). Metrics with another bounded range have the
    score interval of Wilson (1927) with the effective sample size that the variance implies (Franco, Little, Louis and
    Slud 2019, section 3): the number of examples of a binomial share with this half width. At the ends of the range,
    where the estimated variance is 0, it is the number of examples that decide the metric. Other metrics have the
    normal interval.

    `squared`: the square of the half width, which includes the quantiles of the variance components. `row`: the samples
    whose mean is the metric. `error`: 1 - level.
    """
    half = math.sqrt(squared)
    low, high = (math.fsum(getattr(part, end) for part in row) / len(row) for end in ("low", "high"))
    if not math.isfinite(low) or not math.isfinite(high):
        return mean - half, mean + half
    slope = 1 - mean * mean
    if len(row) == 1 and row[0].correlation and slope > END and half > 0:
        middle = math.atanh(mean)
        return math.tanh(middle - half / slope), math.tanh(middle + half / slope)
    share = min(1.0, max(0.0, (mean - low) / (high - low)))
    scaled = half / (high - low)
    return tuple(low + (high - low) * end for end in _wilson(share, scaled, row, error))  # type: ignore[return-value]


def wilson(share: float, size: float, error: float) -> tuple[float, float]:
    """Return the score interval of a share of `size` examples (Wilson 1927). `size` need not be an integer."""
    quantile = float(special.ndtri(error / 2))
    extra = quantile * quantile / size
    middle = (share + extra / 2) / (1 + extra)
    half = -quantile / (1 + extra) * math.sqrt(share * (1 - share) / size + extra / (4 * size))
    return max(0.0, min(share, middle - half)), min(1.0, max(share, middle + half))


def _wilson(share: float, half: float, row: Sequence[Sample], error: float) -> tuple[float, float]:
    spread = share * (1 - share)
    smallest = min(part.rarest for part in row)
    if spread < END or half * half < END * spread:
        return wilson(share, smallest, error)
    quantile = float(special.ndtri(error / 2))
    return wilson(share, (quantile / half) ** 2 * spread, error)
