"""Metrics of tasks with any number of labels per example: F1 over labels, and the share of exact matches."""

from __future__ import annotations

import numpy as np

from manyheads.evaluation.class_counts import rarest_class
from manyheads.evaluation.metrics.metric import Floats, Metric, jackknife
from manyheads.tasks.kind import Predictions


def micro_f1(predictions: Predictions, targets: Floats) -> float | None:
    """Return F1 over all pairs of an example and a label. None if no label is predicted and none is true."""
    hits, total = _pairs(predictions, targets)
    return float(2 * hits.sum() / total.sum()) if total.sum() else None


def macro_f1_of_labels(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean of F1 over the labels that some example has. None if no example has a label."""
    hits, total = _pairs(predictions, targets)
    occurring = targets.sum(axis=0) > 0
    if not occurring.any():
        return None
    return float(_ratio(2 * hits.sum(axis=0), total.sum(axis=0))[occurring].mean())


def subset_accuracy(predictions: Predictions, targets: Floats) -> float | None:
    """Return the share of examples whose labels are all correct. None without examples."""
    return float(_of_subsets(predictions, targets).mean()) if len(targets) else None


def _pairs(predictions: Predictions, targets: Floats) -> tuple[Floats, Floats]:
    """Return for each example and label whether both have it, and how many of both: float64[n, labels].

    If `targets` has a further column, the number of labels that training does not know, it is a label that is never
    predicted.
    """
    values = _as_wide(predictions.values, targets)
    return values * targets, values + targets


def _as_wide(values: Floats, targets: Floats) -> Floats:
    """Return predicted labels with a column of zeros for the unknown labels, if the targets have one."""
    missing = targets.shape[1] - values.shape[1]
    return np.pad(values, ((0, 0), (0, missing))) if missing else values


def _of_micro(predictions: Predictions, targets: Floats) -> Floats:
    hits, total = (each.sum(axis=1) for each in _pairs(predictions, targets))
    whole = 2 * hits.sum() / total.sum()
    return jackknife(float(whole), _ratio(2 * (hits.sum() - hits), total.sum() - total))


def macro_influence(predictions: Predictions, targets: Floats) -> Floats:
    """Return the influence of each example on the macro F1 over labels."""
    hits, total = _pairs(predictions, targets)
    left = _ratio(2 * (hits.sum(axis=0) - hits), total.sum(axis=0) - total)
    occurring = targets.sum(axis=0) - targets > 0
    without = _ratio((left * occurring).sum(axis=1), occurring.sum(axis=1).astype(np.float64))
    return jackknife(macro_f1_of_labels(predictions, targets) or 0.0, without)


def _of_subsets(predictions: Predictions, targets: Floats) -> Floats:
    right: Floats = (_as_wide(predictions.values, targets) == targets).all(axis=1).astype(np.float64)
    return right


def _ratio(hits: Floats, total: Floats) -> Floats:
    """Return a ratio, 0 where the total is 0."""
    ratio: Floats = np.divide(hits, total, out=np.zeros(np.shape(hits)), where=total > 0)
    return ratio


MICRO_F1 = Metric("micro_f1", "micro F1", micro_f1, _of_micro, ("labels",), rarest=rarest_class)
SUBSET_ACCURACY = Metric("subset_accuracy", "subset accuracy", subset_accuracy, _of_subsets, ("labels",), step=1.0)
