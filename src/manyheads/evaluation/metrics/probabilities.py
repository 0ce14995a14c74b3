"""Probabilities of classes, as metrics read them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from manyheads.evaluation.metrics.metric import Floats
from manyheads.tasks.kind import Predictions


def probabilities_of(predictions: Predictions) -> Floats:
    """Return the probabilities: float64[n, classes].

    Raises:
        ValueError: the predictions have none.
    """
    if predictions.probabilities is None:
        raise ValueError("the metric needs probabilities, and the predictions have none")
    probabilities: Floats = predictions.probabilities
    return probabilities


def as_stored(predictions: Predictions) -> Predictions:
    """Return the predictions with probabilities of the precision of files, float32.

    A metric that ranks examples has other ties at other precisions. With this one, an evaluation and its files agree.
    """
    if predictions.probabilities is None:
        return predictions
    return replace(predictions, probabilities=predictions.probabilities.astype(np.float32).astype(np.float64))
