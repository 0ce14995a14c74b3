"""Balanced accuracy."""

from __future__ import annotations

from manyheads.evaluation.class_counts import ClassCounts, rarest_class
from manyheads.evaluation.metrics.metric import Floats, Metric, jackknife
from manyheads.tasks.kind import Predictions


def balanced_accuracy(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean of recall over the classes that occur in the targets. None without examples.

    Source: Brodersen et al. (2010).
    """
    return ClassCounts.of(predictions.values, targets).mean_recall() if len(targets) else None


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    counts = ClassCounts.of(predictions.values, targets)
    return jackknife(counts.mean_recall(), counts.mean_recall_without())


BALANCED_ACCURACY = Metric(
    "balanced_accuracy", "balanced accuracy", balanced_accuracy, _influence, ("classes",), rarest=rarest_class
)
