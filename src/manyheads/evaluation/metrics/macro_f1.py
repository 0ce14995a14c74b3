"""Macro-F1."""

from __future__ import annotations

from manyheads.evaluation.class_counts import ClassCounts, rarest_class
from manyheads.evaluation.metrics.labels import macro_f1_of_labels, macro_influence
from manyheads.evaluation.metrics.metric import Floats, Metric, jackknife
from manyheads.tasks.kind import Predictions


def macro_f1(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean of F1 over the classes, or over the labels, that occur in the targets. None if none does.

    A class that is never predicted, or never correctly, counts 0. A class of the task without a target has no F1 of its
    own: predicting it lowers the F1 of the class that was missed.
    """
    if targets.ndim > 1:
        return macro_f1_of_labels(predictions, targets)
    return ClassCounts.of(predictions.values, targets).macro_f1() if len(targets) else None


def earlier_macro_f1(predictions: Predictions, targets: Floats) -> float | None:
    """Return macro-F1 as versions up to 0.4.0 wrote it: over the classes that occur in targets or predictions.

    One prediction of a class without a target adds a class with an F1 of 0.
    """
    if not len(targets) or targets.ndim > 1:
        return None
    counts = ClassCounts.of(predictions.values, targets)
    return counts.macro_f1() * float((counts.occurring > 0).mean())


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    if targets.ndim > 1:
        return macro_influence(predictions, targets)
    counts = ClassCounts.of(predictions.values, targets)
    return jackknife(counts.macro_f1(), counts.macro_f1_without())


MACRO_F1 = Metric(
    "macro_f1", "macro F1", macro_f1, _influence, ("classes", "labels"), rarest=rarest_class, earlier=earlier_macro_f1
)
