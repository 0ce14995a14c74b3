"""Metrics of tasks with any number of labels per example: F1 over labels, and the share of exact matches."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.metrics.average_precision import precision_of, precision_without
from manyheads.evaluation.metrics.jackknife import jackknife
from manyheads.evaluation.metrics.metric import Floats, Metric
from manyheads.evaluation.metrics.probabilities import probabilities_of
from manyheads.tasks.kind import Predictions


def micro_f1(predictions: Predictions, targets: Floats) -> float | None:
    """Return F1 over all pairs of an example and a label. None if no label is predicted and none is true."""
    hits, total = _pairs(predictions, targets)
    return float(2 * hits.sum() / total.sum()) if total.sum() else None


def labels_macro_f1(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean of F1 over the labels that some example has. None if no example has a label."""
    hits, total = _pairs(predictions, targets)
    occurring = targets.sum(axis=0) > 0
    if not occurring.any():
        return None
    return float(_ratio(2 * hits.sum(axis=0), total.sum(axis=0))[occurring].mean())


def labels_average_precision(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean of the average precision over the labels that some, but not all, examples have.

    Source: Buckley and Voorhees (2000), without interpolation, as in scikit-learn.
    """
    values = [
        precision_of(np.sort(scores[own]), np.sort(scores[~own])) for scores, own in _rankings(predictions, targets)
    ]
    return float(np.mean(values)) if values else None


def subset_accuracy(predictions: Predictions, targets: Floats) -> float | None:
    """Return the share of examples whose labels are all correct. None without examples."""
    return float((predictions.values == targets).all(axis=1).mean()) if len(targets) else None


def _pairs(predictions: Predictions, targets: Floats) -> tuple[Floats, Floats]:
    """Return for each example and label whether both have it, and how many of both: float64[n, labels]."""
    return predictions.values * targets, predictions.values + targets


def _of_micro(predictions: Predictions, targets: Floats) -> Floats:
    hits, total = (each.sum(axis=1) for each in _pairs(predictions, targets))
    whole = 2 * hits.sum() / total.sum()
    return jackknife(float(whole), _ratio(2 * (hits.sum() - hits), total.sum() - total))


def _of_macro(predictions: Predictions, targets: Floats) -> Floats:
    hits, total = _pairs(predictions, targets)
    left = _ratio(2 * (hits.sum(axis=0) - hits), total.sum(axis=0) - total)
    occurring = targets.sum(axis=0) - targets > 0
    without = _ratio((left * occurring).sum(axis=1), occurring.sum(axis=1).astype(np.float64))
    return jackknife(labels_macro_f1(predictions, targets) or 0.0, without)


def _of_average_precision(predictions: Predictions, targets: Floats) -> Floats:
    total, count = np.zeros(len(targets)), np.zeros(len(targets))
    for scores, own in _rankings(predictions, targets):
        places = [each[np.argsort(scores[each], kind="stable")] for each in (np.flatnonzero(own), np.flatnonzero(~own))]
        for place, values in zip(places, precision_without(*(scores[each] for each in places)), strict=True):
            known = ~np.isnan(values)
            total[place] += np.where(known, values, 0.0)
            count[place] += known
    return jackknife(labels_average_precision(predictions, targets) or 0.0, _ratio(total, count))


def _of_subsets(predictions: Predictions, targets: Floats) -> Floats:
    right: Floats = (predictions.values == targets).all(axis=1).astype(np.float64)
    return right


def _rankings(predictions: Predictions, targets: Floats) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Yield for each label that ranks examples the scores of all examples, and which of them have the label."""
    probabilities = probabilities_of(predictions)
    for scores, own in zip(np.ascontiguousarray(probabilities.T), targets.T > 0, strict=True):
        if own.any() and not own.all():
            yield scores, own


def _ratio(hits: Floats, total: Floats) -> Floats:
    """Return a ratio, 0 where the total is 0."""
    ratio: Floats = np.divide(hits, total, out=np.zeros(np.shape(hits)), where=total > 0)
    return ratio


def _rarest(targets: Floats) -> int:
    counts = targets.sum(axis=0)
    return int(counts[counts > 0].min(initial=len(targets)))


MICRO_F1 = Metric("micro_f1", "micro F1", micro_f1, _of_micro, ("labels",), rarest=_rarest)
LABELS_MACRO_F1 = Metric(
    "labels_macro_f1", "macro F1 over labels", labels_macro_f1, _of_macro, ("labels",), rarest=_rarest
)
LABELS_AVERAGE_PRECISION = Metric(
    "labels_average_precision",
    "average precision over labels",
    labels_average_precision,
    _of_average_precision,
    ("labels",),
    needs="probabilities",
    rarest=_rarest,
)
SUBSET_ACCURACY = Metric("subset_accuracy", "subset accuracy", subset_accuracy, _of_subsets, ("labels",), step=1.0)
