"""Matthews' correlation."""

from __future__ import annotations

from manyheads.evaluation.class_counts import ClassCounts, rarest_class
from manyheads.evaluation.metrics.metric import Floats, Metric, constant, jackknife
from manyheads.tasks.kind import Predictions


def mcc(predictions: Predictions, targets: Floats) -> float | None:
    """Return Matthews' correlation (Gorodkin's for more than two classes).

    None if all predictions or all targets are the same class.
    """
    if constant(predictions.values) or constant(targets):
        return None
    return ClassCounts.of(predictions.values, targets).mcc()


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    counts = ClassCounts.of(predictions.values, targets)
    return jackknife(counts.mcc(), counts.mcc_without())


MCC = Metric(
    "mcc",
    "Matthews correlation",
    mcc,
    _influence,
    ("classes",),
    range=(-1.0, 1.0),
    correlation=True,
    rarest=rarest_class,
)
