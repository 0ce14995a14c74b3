"""Metrics of one run with 95% intervals, which stay within the range. They cover sampling variance only."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from manyheads.evaluation.estimate import contrast
from manyheads.evaluation.metrics.resolve import Chosen, resolve
from manyheads.evaluation.sample import Floats, Integers, Sample, sample
from manyheads.ragged import Rows, stack

ERROR = 0.05
"""1 - level of every interval."""


@dataclass(frozen=True)
class Measured:
    """A metric of `count` examples with its interval.

    `value` is None if the metric is undefined. `low` and `high` are None if they cannot be computed.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    count: int


def measured(
    metric: str | Chosen,
    predictions: Rows,
    targets: Rows,
    clusters: Integers | None = None,
    probabilities: Rows | None = None,
) -> Measured:
    """Compute a metric of the menu and its interval, as a study with one seed does.

    `predictions`, `targets`: float64[n, ...], or ragged. `clusters`: int64[n], the cluster of each example; None if
    examples are independent. `probabilities`: [n, classes], for metrics that need them. The standard error is that of
    the mean influence (Hampel 1974), and intervals stay within the range of the metric; see `estimate.contrast`. A
    metric without a highest value is normal on the logarithmic scale, and has no interval for a perfect fit.
    """
    chosen, count = resolve(metric), len(targets)
    shares = None if probabilities is None else stack([probabilities])
    one = sample(chosen, stack([predictions]), targets, probabilities=shares, clusters=clusters) if count else None
    if one is None:
        return Measured(chosen.name, None, None, None, count)
    value = float(one.values[0])
    # The interval of a share is exact also for one or two examples.
    if count < 3 and not one.step:
        return Measured(chosen.name, value, None, None, count)
    if not chosen.metric.bounded:
        return Measured(chosen.name, value, *_of_positive(value, one), count)
    if one.influence.shape[1] < 2:
        low, high = within_range(value, 0.0, [one], ERROR)
        return Measured(chosen.name, value, low, high, count)
    estimate = contrast([[one]], [1.0])
    return Measured(chosen.name, value, estimate.low, estimate.high, count)


def share(name: str, hits: int, count: int) -> Measured:
    """Return the share `hits / count` with Wilson's score interval."""
    if count == 0:
        return Measured(name, None, None, None, 0)
    return Measured(name, hits / count, *wilson(hits / count, count, ERROR), count)


def mean(name: str, values: Floats) -> Measured:
    """Return a mean with Student's t interval."""
    count = len(values)
    if count < 2:
        return Measured(name, float(values[0]) if count else None, None, None, count)
    value, half = float(values.mean()), _quantile(count) * float(values.std(ddof=1)) / math.sqrt(count)
    return Measured(name, value, value - half, value + half, count)


def _of_positive(value: float, one: Sample) -> tuple[float | None, float | None]:
    """Return both bounds, from the delta method. The slope of the scale multiplies the error."""
    if value <= 0:
        return None, None
    units = one.influence.shape[1]
    if units < 2:
        return None, None
    half = _quantile(units) * float(np.std(one.influence, ddof=1)) / math.sqrt(units) / value
    return value * math.exp(-half), value * math.exp(half)


def _quantile(count: int) -> float:
    return float(special.stdtrit(count - 1, 0.975))


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
