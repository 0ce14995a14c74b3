"""Accuracy."""

from __future__ import annotations

import numpy as np

from manyheads.evaluation.metrics.metric import Floats, Metric
from manyheads.ragged import Ragged, Rows
from manyheads.tasks.kind import Predictions
from manyheads.tasks.rankings import chosen_right


def accuracy(predictions: Predictions, targets: Rows) -> float | None:
    """Return the share of correct classes, or of rows whose chosen candidate is right. None without examples."""
    return float(np.mean(_influence(predictions, targets))) if len(targets) else None


def _influence(predictions: Predictions, targets: Rows) -> Floats:
    right = chosen_right(predictions.values, targets) if isinstance(targets, Ragged) else predictions.values == targets
    correct: Floats = np.asarray(right, dtype=np.float64)
    return correct


ACCURACY = Metric("accuracy", "accuracy", accuracy, _influence, ("classes", "candidates"), step=1.0)
