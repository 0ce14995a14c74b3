"""The area under the ROC curve."""

from __future__ import annotations

import numpy as np

from manyheads.evaluation.class_counts import rarest_class
from manyheads.evaluation.metrics.metric import Floats, Metric, jackknife
from manyheads.evaluation.metrics.probabilities import mean_over_classes, mean_without_each, ranks_among
from manyheads.tasks.kind import Predictions


def auc(predictions: Predictions, targets: Floats) -> float | None:
    """Return the area under the ROC curve: the probability that an example of a class has a higher score than another.

    The score is the probability of the second of two labels. For more labels it is the mean over the classes that have
    labelled examples, each against the others. Ties count one half. None with fewer than two classes in the targets.

    Source: Hanley and McNeil (1982); one class against the others as in Provost and Domingos (2000), unweighted.
    """
    return mean_over_classes(predictions, targets, _area)


def _area(own: Floats, others: Floats) -> float:
    return float(ranks_among(own, others).mean())


def _without(own: Floats, others: Floats) -> tuple[Floats, Floats]:
    """Return the area without each example, from the placements of DeLong, DeLong and Clarke-Pearson (1988)."""
    placed, placed_others = ranks_among(own, others), 1 - ranks_among(others, own)
    return _less(placed), _less(placed_others)


def _less(placed: Floats) -> Floats:
    """Return the mean without each value. NaN if there is only one."""
    count = len(placed)
    return (placed.sum() - placed) / (count - 1) if count > 1 else np.full(1, np.nan)


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    return jackknife(auc(predictions, targets) or 0.0, mean_without_each(predictions, targets, _without))


AUC = Metric("auc", "AUC", auc, _influence, ("classes", "labels"), needs="probabilities", rarest=rarest_class)
