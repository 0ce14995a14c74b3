"""The influence of each dev example on a metric, which gives the sampling variance of the metric.

A metric of n examples is approximately its true value plus the mean of the examples' influences (Hampel 1974).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyheads.evaluation.class_counts import ClassCounts
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.sample import Floats, Integers, Sample, summed
from manyheads.tasks.kind import Predictions


def sample(
    metric: str,
    predictions: Floats,
    targets: Floats,
    *,
    seeds: Sequence[int] | None = None,
    clusters: Integers | None = None,
    first: NDArray[np.bool_] | None = None,
) -> Sample | None:
    """Return the metric of each seed's predictions for the same n examples, and the influence of each unit.

    With `first`, bool[n], the metric is the mean of the metrics of two halves of the examples, and the influence of an
    example is that on the metric of its half.

    `predictions`: float64[S, n], decoded values. `targets`: float64[n]. `seeds`: the numbers of the seeds. `clusters`:
    int64[n], the cluster of each example; None if examples are independent. None if the metric is undefined for a seed,
    or on a half.
    """
    parts: list[Any] = [slice(None)] if first is None else [first, ~first]
    by_part = [
        [METRICS[metric](Predictions(each[part], None), targets[part]) for part in parts] for each in predictions
    ]
    known = [[value for value in values if value is not None] for values in by_part]
    if not known or any(len(values) < len(parts) for values in known):
        return None
    influence: Floats = np.zeros_like(predictions, dtype=np.float64)
    for row, each in zip(influence, predictions, strict=True):
        for part in parts:
            own = INFLUENCE[metric](each[part], targets[part])
            row[part] = (own - own.mean()) * (len(targets) / (len(parts) * len(own)))
    units, clustered = clusters, False
    if clusters is not None:
        examples = influence.shape[1]
        influence, units = summed(influence, clusters)
        clustered = influence.shape[1] < examples
    return Sample(
        values=np.mean(known, axis=1),
        influence=influence,
        seeds=None if seeds is None else tuple(seeds),
        units=units,
        clustered=clustered,
        count=len(targets),
        **_range(metric, targets, influence.shape[1]),
    )


def _range(metric: str, targets: Floats, units: int) -> dict[str, Any]:
    """Return the fields of a sample that describe the range of its metric."""
    if metric == "rmse":
        return {}
    if metric in ("pearson", "spearman"):
        return {"low": -1.0, "high": 1.0, "correlation": True, "rarest": units}
    if metric == "accuracy":
        return {"low": 0.0, "high": 1.0, "step": 1.0, "rarest": units}
    _, counts = np.unique(targets, return_counts=True)
    low, correlation = (-1.0, True) if metric == "mcc" else (0.0, False)
    return {"low": low, "high": 1.0, "correlation": correlation, "rarest": min(int(counts.min()), units)}


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
