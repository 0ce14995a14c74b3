"""Proper scores of probabilities: log loss and the Brier score."""

from __future__ import annotations

import math

import numpy as np

from manyheads.evaluation.metrics.metric import Floats, Metric
from manyheads.evaluation.metrics.probabilities import probabilities_of
from manyheads.tasks.kind import Predictions, probabilities_of_classes

LEAST = float(np.finfo(np.float32).eps)
"""The smallest probability in the log loss, 1.2e-7: the precision of float32, as in scikit-learn."""


def log_loss(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean of -log(probability of the true class), in nats. None without examples.

    A probability below 1.2e-7 counts as 1.2e-7, so one example adds at most 15.9 / n.
    """
    return float(_logs(predictions, targets).mean()) if len(targets) else None


def brier(predictions: Predictions, targets: Floats) -> float | None:
    """Return half the squared distance between the probabilities and the true class, the mean over examples.

    For two classes it is the mean squared error of the probability of the second label. None without examples.

    Source: Brier (1950), whose score is twice this one. The range is 0 to 1 for any number of classes.
    """
    return float(_distances(predictions, targets).mean()) if len(targets) else None


def _logs(predictions: Predictions, targets: Floats) -> Floats:
    logs: Floats = -np.log(np.maximum(_of_target(predictions, targets), LEAST))
    return logs


def _distances(predictions: Predictions, targets: Floats) -> Floats:
    probabilities, true = probabilities_of(predictions), _of_target(predictions, targets)
    distances: Floats = (np.einsum("nc,nc->n", probabilities, probabilities) - 2 * true + 1) / 2
    return np.maximum(distances, 0.0)


def _of_target(predictions: Predictions, targets: Floats) -> Floats:
    """Return the probability of the true class: float64[n], 0 if the label is unknown."""
    return probabilities_of_classes(probabilities_of(predictions), targets)


LOG_LOSS = Metric(
    "log_loss",
    "log loss",
    log_loss,
    _logs,
    ("classes",),
    needs="probabilities",
    range=(0.0, math.inf),
    higher_is_better=False,
)
BRIER = Metric("brier", "Brier score", brier, _distances, ("classes",), needs="probabilities", higher_is_better=False)
