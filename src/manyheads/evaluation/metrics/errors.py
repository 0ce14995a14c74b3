"""Errors of values, in the unit of the targets."""

from __future__ import annotations

import math

import numpy as np

from manyheads.evaluation.metrics.metric import Floats, Metric, bind_labels, farthest_if_unknown
from manyheads.tasks.kind import Predictions


def rmse(predictions: Predictions, targets: Floats) -> float | None:
    """Return the root of the mean squared error, in the unit of the targets. None without examples."""
    return float(np.sqrt(np.mean(np.square(predictions.values - targets)))) if len(targets) else None


def mae(predictions: Predictions, targets: Floats, *, labels: int = 0) -> float | None:
    """Return the mean absolute error in the unit of the targets, or in places of ordered labels. None if n is 0.

    An unknown label counts as the one that is farthest from the prediction.
    """
    return float(_of_mae(predictions, targets, labels=labels).mean()) if len(targets) else None


def _of_rmse(predictions: Predictions, targets: Floats) -> Floats:
    """Return (e^2 - mse) / (2 rmse), from the delta method, up to a constant. 0 for a perfect fit."""
    squared = np.square(predictions.values - targets)
    root = float(np.sqrt(squared.mean()))
    return squared / (2 * root) if root else np.zeros_like(squared)


def _of_mae(predictions: Predictions, targets: Floats, *, labels: int = 0) -> Floats:
    absolute: Floats = np.abs(predictions.values - farthest_if_unknown(predictions.values, targets, labels))
    return absolute


POSITIVE = (0.0, math.inf)

RMSE = Metric("rmse", "RMSE", rmse, _of_rmse, ("values",), range=POSITIVE, higher_is_better=False)
MAE = Metric(
    "mae",
    "MAE",
    mae,
    _of_mae,
    ("values", "ordered classes"),
    range=POSITIVE,
    higher_is_better=False,
    bind=bind_labels,
)
