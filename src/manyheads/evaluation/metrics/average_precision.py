"""Average precision."""

from __future__ import annotations

import numpy as np

from manyheads.evaluation.class_counts import rarest_class
from manyheads.evaluation.metrics.metric import Floats, Metric, jackknife
from manyheads.evaluation.metrics.probabilities import mean_over_classes, mean_without_each
from manyheads.tasks.kind import Predictions


def average_precision(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean over the examples of a class of the precision among examples with at least their score.

    The score is the probability of the second of two classes. For more classes it is the mean over those that have
    labelled examples, each against the others. So it is for tasks with several labels per example. None if no class, or
    no label, is that of some examples and not of others.

    Source: Buckley and Voorhees (2000), without interpolation, as in scikit-learn.
    """
    return mean_over_classes(predictions, targets, _precision)


def _precision(own: Floats, others: Floats) -> float:
    """Return the average precision of the scores of a class and of the others, both in ascending order."""
    hits, reached = _counts(own, others)
    return float((hits / reached).mean())


def _counts(own: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Return for each example of the class the number of examples with at least its score: of the class, and all."""
    hits = len(own) - np.searchsorted(own, own, side="left").astype(np.float64)
    return hits, hits + len(others) - np.searchsorted(others, own, side="left")


def _without(own: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Return the average precision without each example.

    Without an example, the precision changes for the examples of the class that have at most its score.
    """
    count = len(own)
    hits, reached = _counts(own, others)
    precision, fewer = hits / reached, np.maximum(reached - 1, 1)
    without_own, without_other = (hits - 1) / fewer, hits / fewer
    kept = precision.sum() - _sums(precision)
    # The places of the scores among those of the class: how many examples of the class have at most this score.
    of_own, of_others = (np.searchsorted(own, each, side="right") for each in (own, others))
    less_own = np.full(1, np.nan)
    if count > 1:
        less_own = (kept[of_own] + _sums(without_own)[of_own] - without_own) / (count - 1)
    less_other = np.full(1, np.nan)
    if len(others) > 1:
        less_other = (kept[of_others] + _sums(without_other)[of_others]) / count
    return less_own, less_other


def _sums(values: Floats) -> Floats:
    """Return the sums of the first 0, 1, ... n values: float64[n + 1]."""
    return np.concatenate([[0.0], np.cumsum(values)])


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    whole = average_precision(predictions, targets) or 0.0
    return jackknife(whole, mean_without_each(predictions, targets, _without))


AVERAGE_PRECISION = Metric(
    "average_precision",
    "average precision",
    average_precision,
    _influence,
    ("classes", "labels"),
    needs="probabilities",
    rarest=rarest_class,
)
