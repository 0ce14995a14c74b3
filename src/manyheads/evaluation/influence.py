"""The influence of each dev example on a metric, which gives the sampling variance of the metric.

A metric of n examples is approximately its true value plus the mean of the examples' influences (Hampel 1974).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyheads.evaluation.class_counts import ClassCounts
from manyheads.evaluation.estimate import Sample
from manyheads.evaluation.metrics import METRICS
from manyheads.tasks.kind import Predictions

Floats = NDArray[np.float64]


def sample(metric: str, predictions: Floats, targets: Floats) -> Sample | None:
    """Return the metric of each seed's predictions for the same n examples, and the influence of each example.

    `predictions`: float64[S, n], decoded values. `targets`: float64[n]. None if the metric is undefined for a seed.
    """
    values = [METRICS[metric](Predictions(each, None), targets) for each in predictions]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    rows = [INFLUENCE[metric](each, targets) for each in predictions]
    influence = np.stack([row - row.mean() for row in rows])
    return Sample(np.array(known, dtype=np.float64), influence)


def _accuracy(predicted: Floats, targets: Floats) -> Floats:
    correct: Floats = (predicted == targets).astype(np.float64)
    return correct


def _pearson(predicted: Floats, targets: Floats) -> Floats:
    """Return z_p z_t - r (z_p^2 + z_t^2) / 2 of standardised values (Devlin, Gnanadesikan and Kettenring 1975)."""
    one, other = _standardised(predicted), _standardised(targets)
    r = float(np.mean(one * other))
    influence: Floats = one * other - r * (one**2 + other**2) / 2
    return influence


def _spearman(predicted: Floats, targets: Floats) -> Floats:
    """Return the influence on Pearson's r of the ranks, including the effect of an example on the ranks of others.

    This is the two-sample projection.
    """
    one, other = stats.rankdata(predicted) / len(targets), stats.rankdata(targets) / len(targets)
    scale = float(one.std() * other.std())
    centred_one, centred_other = one - one.mean(), other - other.mean()
    r = float(np.mean(centred_one * centred_other)) / scale
    moved = centred_one * centred_other + _rank_effect(predicted, centred_other) + _rank_effect(targets, centred_one)
    # With ties, an example also changes the spread of the ranks. That effect is of lower order and is neglected.
    influence: Floats = moved / scale - r
    return influence


def _rank_effect(values: Floats, weights: Floats) -> Floats:
    """Return for each example the mean over all j of weights[j] * (value < values[j]). Ties count one half."""
    order = np.argsort(values, kind="stable")
    ordered, weighted = values[order], weights[order]
    total = np.concatenate([[0.0], np.cumsum(weighted)])
    first = np.searchsorted(ordered, values, side="left")
    after = np.searchsorted(ordered, values, side="right")
    above = total[-1] - total[after]
    ties = total[after] - total[first]
    effect: Floats = (above + ties / 2) / len(values)
    return effect


def _macro_f1(predicted: Floats, targets: Floats) -> Floats:
    counts = ClassCounts.of(predicted, targets)
    return _jackknife(counts.macro_f1(), counts.macro_f1_without())


def _mcc(predicted: Floats, targets: Floats) -> Floats:
    counts = ClassCounts.of(predicted, targets)
    return _jackknife(counts.mcc(), counts.mcc_without())


def _jackknife(whole: float, without: Floats) -> Floats:
    """Return (n - 1)(whole - without the example), the jackknife influence of each example (Miller 1974)."""
    influences: Floats = (len(without) - 1) * (whole - without)
    return influences


def _rmse(predicted: Floats, targets: Floats) -> Floats:
    """Return (e^2 - mse) / (2 rmse), from the delta method, up to a constant. 0 for a perfect fit."""
    squared = np.square(predicted - targets)
    root = float(np.sqrt(squared.mean()))
    return squared / (2 * root) if root else np.zeros_like(squared)


def _standardised(values: Floats) -> Floats:
    standardised: Floats = (values - values.mean()) / values.std()
    return standardised


INFLUENCE: dict[str, Callable[[Floats, Floats], Floats]] = {
    "accuracy": _accuracy,
    "macro_f1": _macro_f1,
    "mcc": _mcc,
    "pearson": _pearson,
    "spearman": _spearman,
    "rmse": _rmse,
}
