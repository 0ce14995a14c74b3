"""Accuracy."""

from __future__ import annotations

import numpy as np

from manyheads.evaluation.metrics.metric import Floats, Metric
from manyheads.tasks.kind import Predictions


def accuracy(predictions: Predictions, targets: Floats) -> float | None:
    """Return the share of correct classes. None without examples."""
    return float(np.mean(predictions.values == targets)) if len(targets) else None


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    correct: Floats = (predictions.values == targets).astype(np.float64)
    return correct


ACCURACY = Metric("accuracy", "accuracy", accuracy, _influence, ("classes",), step=1.0)
