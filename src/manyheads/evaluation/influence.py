"""Influence: how much each dev example moves a metric, so that the chance of the dev sample can be told.

A metric of n examples is, near the truth, its true value plus the mean of the examples' influences (Hampel 1974).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyheads.evaluation.estimate import Sample
from manyheads.evaluation.metrics import METRICS
from manyheads.tasks.kind import Predictions

Floats = NDArray[np.float64]


def sample(metric: str, predictions: Floats, targets: Floats) -> Sample | None:
    """The metric of each seed's predictions of the same n examples, and each example's influence on it.

    `predictions`: float64[S, n], decoded values; `targets`: float64[n]. None where the metric is undefined for a seed.
    """
    values = [METRICS[metric](Predictions(each, None), targets) for each in predictions]
    known = [value for value in values if value is not None]
    if not known or len(known) < len(values):
        return None
    rows = [INFLUENCE[metric](each, targets) for each in predictions]
    influence = np.stack([row - row.mean() for row in rows])
    return Sample(np.array(known, dtype=np.float64), influence)


def _accuracy(predicted: Floats, targets: Floats) -> Floats:
    right: Floats = (predicted == targets).astype(np.float64)
    return right


def _pearson(predicted: Floats, targets: Floats) -> Floats:
    """z_p z_t - r (z_p^2 + z_t^2) / 2, of standardised values (Devlin, Gnanadesikan and Kettenring 1975)."""
    one, other = _standardised(predicted), _standardised(targets)
    r = float(np.mean(one * other))
    found: Floats = one * other - r * (one**2 + other**2) / 2
    return found


def _spearman(predicted: Floats, targets: Floats) -> Floats:
    """Pearson's of the ranks, with what an example does to the ranks of others (the two-sample projection)."""
    one, other = stats.rankdata(predicted) / len(targets), stats.rankdata(targets) / len(targets)
    scale = float(one.std() * other.std())
    centred_one, centred_other = one - one.mean(), other - other.mean()
    r = float(np.mean(centred_one * centred_other)) / scale
    moved = centred_one * centred_other + _pulled(predicted, centred_other) + _pulled(targets, centred_one)
    # With ties the spread of the ranks is the sample's own, and moves too; that part is of lower order and left out.
    found: Floats = moved / scale - r
    return found


def _pulled(values: Floats, weights: Floats) -> Floats:
    """For each example the mean over all of (its value is below theirs, half for ties) times their weight."""
    order = np.argsort(values, kind="stable")
    ordered, weighted = values[order], weights[order]
    total = np.concatenate([[0.0], np.cumsum(weighted)])
    first = np.searchsorted(ordered, values, side="left")
    after = np.searchsorted(ordered, values, side="right")
    above = total[-1] - total[after]
    ties = total[after] - total[first]
    found: Floats = (above + ties / 2) / len(values)
    return found


def _deleted(metric: str) -> Callable[[Floats, Floats], Floats]:
    """The jackknife's influence, (n - 1)(whole - without the example), for a metric of a confusion matrix.

    Examples of one cell of the matrix have one influence, so that it costs a metric a cell and not one an example.
    """

    def influence(predicted: Floats, targets: Floats) -> Floats:
        cells, where, counts = np.unique(
            np.stack([predicted, targets], axis=1), axis=0, return_inverse=True, return_counts=True
        )
        whole = _of_cells(metric, cells, counts)
        without = np.array(
            [_of_cells(metric, cells, counts - (np.arange(len(counts)) == cell)) for cell in range(len(cells))]
        )
        found: Floats = ((len(targets) - 1) * (whole - without))[where.reshape(-1)]
        return found

    return influence


def _of_cells(metric: str, cells: Floats, counts: NDArray[np.int64]) -> float:
    """The metric of a table of (prediction, target) pairs with counts; one that a deletion undefines counts 0."""
    kept = np.repeat(cells, counts, axis=0)
    value = METRICS[metric](Predictions(kept[:, 0], None), kept[:, 1])
    return 0.0 if value is None else value


def _rmse(predicted: Floats, targets: Floats) -> Floats:
    """(e^2 - mse) / (2 rmse), the delta method; 0 for a perfect fit."""
    squared = np.square(predicted - targets)
    root = float(np.sqrt(squared.mean()))
    return squared / (2 * root) if root else np.zeros_like(squared)


def _standardised(values: Floats) -> Floats:
    found: Floats = (values - values.mean()) / values.std()
    return found


INFLUENCE: dict[str, Callable[[Floats, Floats], Floats]] = {
    "accuracy": _accuracy,
    "macro_f1": _deleted("macro_f1"),
    "mcc": _deleted("mcc"),
    "pearson": _pearson,
    "spearman": _spearman,
    "rmse": _rmse,
}
