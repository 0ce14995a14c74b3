"""The menu of metrics. One that cannot be computed is None: a made-up number would enter an average unseen."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from manyheads.tasks.kind import Predictions

Metric = Callable[[Predictions, NDArray[np.float64]], float | None]


def accuracy(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """The share of examples whose class is right; None without examples."""
    return float(np.mean(predictions.values == targets)) if len(targets) else None


def macro_f1(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """The plain mean of F1 over the classes that stand in targets or predictions; None without examples.

    That is scikit-learn's convention: a class in neither is left out, one never predicted (or never right) counts 0.
    """
    from sklearn.metrics import f1_score

    if not len(targets):
        return None
    return float(f1_score(targets, predictions.values, average="macro", zero_division=0.0))


def mcc(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Matthews' correlation (Gorodkin's for several classes); None where predictions or targets are all one class."""
    if _constant(predictions.values) or _constant(targets):
        return None
    from sklearn.metrics import matthews_corrcoef

    return float(matthews_corrcoef(targets, predictions.values))


def pearson(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Pearson's r; None for fewer than two examples or where one side is (nearly) constant."""
    if _constant(predictions.values) or _constant(targets):
        return None
    centred_p, centred_t = predictions.values - predictions.values.mean(), targets - targets.mean()
    r = float(centred_p @ centred_t / (np.linalg.norm(centred_p) * np.linalg.norm(centred_t)))
    return max(-1.0, min(1.0, r)) if math.isfinite(r) else None


def spearman(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation (ties get their mean rank); None where Pearson's r is."""
    if _constant(predictions.values) or _constant(targets):
        return None
    from scipy import stats

    return pearson(Predictions(stats.rankdata(predictions.values), None), stats.rankdata(targets))


def rmse(predictions: Predictions, targets: NDArray[np.float64]) -> float | None:
    """The root of the mean squared error, in units of the range; None without examples."""
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
"""Metrics that may be a task's primary one: higher is better, so that an average over tasks means something."""


def _constant(values: NDArray[np.float64]) -> bool:
    """Whether correlation is undefined: fewer than two values, or a spread that is rounding alone."""
    if len(values) < 2:
        return True
    return bool(np.ptp(values) <= 1e-12 * max(1.0, float(np.abs(values).max())))
