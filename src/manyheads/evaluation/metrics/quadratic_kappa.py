"""Cohen's kappa with quadratic weights."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from manyheads.evaluation.class_counts import rarest_class
from manyheads.evaluation.metrics.metric import Floats, Metric, bind_labels, farthest_if_unknown, jackknife
from manyheads.tasks.kind import Predictions


def quadratic_kappa(predictions: Predictions, targets: Floats, *, labels: int = 0) -> float | None:
    """Return Cohen's kappa with weights that grow with the square of the distance between classes.

    The distance is counted in places of `labels`, which must be numbers in ascending order. None if all predictions and
    targets are the same class. An unknown label counts as the one that is farthest from the prediction.

    Source: Cohen (1968).
    """
    count = len(targets)
    if not count:
        return None
    targets = farthest_if_unknown(predictions.values, targets, labels)
    expected, squared = _parts(count, *(np.array(float(each.sum())) for each in _moments(predictions, targets)))
    return float(1 - squared / expected) if expected > 0 else None


def _moments(predictions: Predictions, targets: Floats) -> Iterator[Floats]:
    """Yield for each example its prediction, its target, the squares of both, and the square of their difference."""
    yield predictions.values
    yield targets
    yield np.square(predictions.values)
    yield np.square(targets)
    yield np.square(predictions.values - targets)


def _parts(
    count: int, predicted: Floats, true: Floats, of_predicted: Floats, of_true: Floats, between: Floats
) -> tuple[Floats, Floats]:
    """Return the squared distance of independent predictions and that of these predictions, times n squared."""
    return count * (of_predicted + of_true) - 2 * predicted * true, count * between


def _influence(predictions: Predictions, targets: Floats, *, labels: int = 0) -> Floats:
    count = len(targets)
    targets = farthest_if_unknown(predictions.values, targets, labels)
    expected, squared = _parts(count - 1, *(each.sum() - each for each in _moments(predictions, targets)))
    without = np.where(expected > 0, 1 - np.divide(squared, expected, out=np.ones(count), where=expected > 0), 0.0)
    return jackknife(quadratic_kappa(predictions, targets) or 0.0, without)


def _rarest(targets: Floats, *, labels: int = 0) -> int:
    del labels
    return rarest_class(targets)


QUADRATIC_KAPPA = Metric(
    "quadratic_kappa",
    "quadratic kappa",
    quadratic_kappa,
    _influence,
    ("ordered classes",),
    range=(-1.0, 1.0),
    correlation=True,
    rarest=_rarest,
    bind=bind_labels,
)
