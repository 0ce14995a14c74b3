"""Metrics of one run with 95% intervals. They cover sampling variance only: one run gives no seed variance."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from manyheads.evaluation.influence import INFLUENCE
from manyheads.evaluation.metrics import METRICS
from manyheads.tasks.kind import Predictions

Floats = NDArray[np.float64]

Z = float(special.ndtri(0.975))

CORRELATIONS = ("pearson", "spearman", "mcc")


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


def measured(metric: str, predictions: Floats, targets: Floats) -> Measured:
    """Compute a metric of the menu and its interval. `predictions`, `targets`: float64[n].

    Accuracy has Wilson's interval (1927). Other metrics are assumed to be normal on an unbounded scale: Fisher's z for
    correlations, the logit for F1, the logarithm for RMSE. The standard error is that of the mean influence
    (Hampel 1974). Intervals therefore stay within the range of the metric. There is no interval at the ends of that
    range, for example for a perfect fit.
    """
    count = len(targets)
    if metric == "accuracy":
        return share(metric, int((predictions == targets).sum()), count)
    value = METRICS[metric](Predictions(predictions, None), targets)
    if value is None or count < 3:
        return Measured(metric, value, None, None, count)
    error = float(np.std(INFLUENCE[metric](predictions, targets), ddof=1)) / math.sqrt(count)
    low, high = _bounds(metric, value, error, count)
    return Measured(metric, value, low, high, count)


def share(name: str, hits: int, count: int) -> Measured:
    """Return the share `hits / count` with Wilson's score interval."""
    if count == 0:
        return Measured(name, None, None, None, 0)
    value, extra = hits / count, Z * Z / count
    middle = (value + extra / 2) / (1 + extra)
    half = Z / (1 + extra) * math.sqrt(value * (1 - value) / count + extra / (4 * count))
    return Measured(name, value, max(0.0, middle - half), min(1.0, middle + half), count)


def mean(name: str, values: Floats) -> Measured:
    """Return a mean with Student's t interval."""
    count = len(values)
    if count < 2:
        return Measured(name, float(values[0]) if count else None, None, None, count)
    value, half = float(values.mean()), _quantile(count) * float(values.std(ddof=1)) / math.sqrt(count)
    return Measured(name, value, value - half, value + half, count)


def _bounds(metric: str, value: float, error: float, count: int) -> tuple[float | None, float | None]:
    """Return both bounds, from the delta method. The slope of the scale multiplies the error."""
    half = _quantile(count) * error
    if metric in CORRELATIONS:
        slope = 1 - value * value
        if slope < 1e-12:
            return None, None
        return math.tanh(math.atanh(value) - half / slope), math.tanh(math.atanh(value) + half / slope)
    if metric == "rmse":
        if value <= 0:
            return None, None
        return value * math.exp(-half / value), value * math.exp(half / value)
    slope = value * (1 - value)
    if slope <= 0:
        return None, None
    middle = math.log(value / (1 - value))
    return float(special.expit(middle - half / slope)), float(special.expit(middle + half / slope))


def _quantile(count: int) -> float:
    return float(special.stdtrit(count - 1, 0.975))
