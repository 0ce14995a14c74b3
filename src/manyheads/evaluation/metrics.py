"""The menu of metrics. A metric that cannot be computed is None, because a default would distort an average."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.class_counts import ClassCounts
from manyheads.tasks.kind import Predictions

Metric = Callable[[Predictions, NDArray[np.float64]], float | None]


def accuracy(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Return the share of correct classes. None without examples."""
    return float(np.mean(predictions.values == targets)) if len(targets) else None


def macro_f1(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Return the mean of F1 over the classes that occur in the targets. None without examples.

    A class that is never predicted, or never correctly, counts 0. A class of the task without a target has no F1 of its
    own: predicting it lowers the F1 of the class that was missed.
    """
    return ClassCounts.of(predictions.values, targets).macro_f1() if len(targets) else None


def mcc(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Return Matthews' correlation (Gorodkin's for more than two classes).

    None if all predictions or all targets are the same class.
    """
    if _constant(predictions.values) or _constant(targets):
        return None
    return ClassCounts.of(predictions.values, targets).mcc()


def pearson(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Return Pearson's r. None for fewer than two examples, or if predictions or targets are (nearly) constant."""
    if _constant(predictions.values) or _constant(targets):
        return None
    centred_p, centred_t = predictions.values - predictions.values.mean(), targets - targets.mean()
    r = float(centred_p @ centred_t / (np.linalg.norm(centred_p) * np.linalg.norm(centred_t)))
    return max(-1.0, min(1.0, r)) if math.isfinite(r) else None


def spearman(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Return Spearman's rank correlation, in which ties have their mean rank. None in the cases of Pearson's r."""
    if _constant(predictions.values) or _constant(targets):
        return None
    from scipy import stats

    return pearson(Predictions(stats.rankdata(predictions.values), None), stats.rankdata(targets))


def rmse(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Return the root of the mean squared error, in the unit of the targets. None without examples."""
    return float(np.sqrt(np.mean(np.square(predictions.values - targets)))) if len(targets) else None


METRICS: dict[str, Metric] = {
    "accuracy": accuracy,
    "macro_f1": macro_f1,
    "mcc": mcc,
    "pearson": pearson,
    "spearman": spearman,
    "rmse": rmse,
}

PRIMARY = ("accuracy", "macro_f1", "mcc", "pearson", "spearman")
"""Metrics that may be a task's primary metric. Higher is better, so that an average over tasks is meaningful."""


def earlier_macro_f1(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Return macro-F1 as versions up to 0.4.0 wrote it: over the classes that occur in targets or predictions.

    One prediction of a class without a target adds a class with an F1 of 0.
    """
    if not len(targets):
        return None
    counts = ClassCounts.of(predictions.values, targets)
    return counts.macro_f1() * float((counts.occurring > 0).mean())


EARLIER: dict[str, Metric] = {"macro_f1": earlier_macro_f1}
"""Metrics with another definition in versions up to 0.4.0, which `results.json` of their runs has."""


def _constant(values: NDArray[np.float64]) -> bool:
    """Return whether a correlation is undefined: fewer than two values, or differences within rounding errors."""
    if len(values) < 2:
        return True
    return bool(np.ptp(values) <= 1e-12 * float(np.abs(values).max()))
