"""Probabilities of classes as metrics read them, and metrics of a ranking of one class against the others."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

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


OfRanking = Callable[[Floats, Floats], float]
"""Returns a metric of the scores of the examples of a class and of the others. Both are in ascending order."""

WithoutEach = Callable[[Floats, Floats], tuple[Floats, Floats]]
"""Returns the metric without each example of the class, and without each of the others. NaN where it is undefined."""


def mean_over_classes(predictions: Predictions, targets: Floats, metric: OfRanking) -> float | None:
    """Return the mean over classes of a metric of one class against the others.

    With two classes it is the metric of the second one. A class counts if it has examples and others have, too. None
    if no class counts.
    """
    values = [metric(np.sort(scores[own]), np.sort(scores[~own])) for scores, own in _classes(predictions, targets)]
    return float(np.mean(values)) if values else None


def mean_without_each(predictions: Predictions, targets: Floats, without: WithoutEach) -> Floats:
    """Return the mean over classes without each example: float64[n]. 0 where no class counts any more."""
    total, classes = np.zeros(len(targets)), np.zeros(len(targets))
    for scores, own in _classes(predictions, targets):
        places, others = np.flatnonzero(own), np.flatnonzero(~own)
        places, others = (each[np.argsort(scores[each])] for each in (places, others))
        for each, values in zip((places, others), without(scores[places], scores[others]), strict=True):
            known = ~np.isnan(values)
            total[each] += np.where(known, values, 0.0)
            classes[each] += known
    mean: Floats = np.divide(total, classes, out=np.zeros(len(targets)), where=classes > 0)
    return mean


def _classes(predictions: Predictions, targets: Floats) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Yield for each class that counts the scores of all examples, and which of them are of the class.

    With targets[n, labels], each label is such a class.
    """
    probabilities = probabilities_of(predictions)
    classes = probabilities.shape[1]
    for place in range(classes) if classes > 2 or targets.ndim > 1 else (1,):
        own = targets == place if targets.ndim == 1 else targets[:, place] > 0
        if own.any() and not own.all():
            # The scores are a column of a matrix. A copy in one piece is sorted in a third of the time.
            yield np.ascontiguousarray(probabilities[:, place]), own


def ranks_among(scores: Floats, others: Floats) -> Floats:
    """Return for each score the share of `others` below it. Ties count one half. `others` are in ascending order."""
    upto = np.searchsorted(others, scores, side="right")
    shares: Floats = (np.searchsorted(others, scores, side="left") + upto) / (2 * len(others))
    return shares
