"""Spearman's rank correlation."""

from __future__ import annotations

import numpy as np

from manyheads.evaluation.metrics.metric import Floats, Metric, constant
from manyheads.evaluation.metrics.pearson import correlation
from manyheads.tasks.kind import Predictions


def spearman(predictions: Predictions, targets: Floats) -> float | None:
    """Return Spearman's rank correlation, in which ties have their mean rank. None in the cases of Pearson's r."""
    if constant(predictions.values) or constant(targets):
        return None
    from scipy import stats

    return correlation(stats.rankdata(predictions.values), stats.rankdata(targets))


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    """Return the influence on Pearson's r of the ranks, including the effect of an example on the ranks of others.

    This is the two-sample projection.
    """
    from scipy import stats

    predicted = predictions.values
    one, other = stats.rankdata(predicted) / len(targets), stats.rankdata(targets) / len(targets)
    scale = float(one.std() * other.std())
    centred_one, centred_other = one - one.mean(), other - other.mean()
    r = float(np.mean(centred_one * centred_other)) / scale
    moved = centred_one * centred_other + _rank_effect(predicted, centred_other) + _rank_effect(targets, centred_one)
    # With ties, an example also changes the spread of the ranks. That effect is of lower order and is neglected.
    influence: Floats = moved / scale - r
    return influence


def _rank_effect(values: Floats, weights: Floats) -> Floats:
    """Return for each example the mean over all j of weights[j] * (value < values[j]). Ties count one half."""
    order = np.argsort(values, kind="stable")
    ordered, weighted = values[order], weights[order]
    total = np.concatenate([[0.0], np.cumsum(weighted)])
    first = np.searchsorted(ordered, values, side="left")
    after = np.searchsorted(ordered, values, side="right")
    above = total[-1] - total[after]
    ties = total[after] - total[first]
    effect: Floats = (above + ties / 2) / len(values)
    return effect


SPEARMAN = Metric(
    "spearman",
    "Spearman rho",
    spearman,
    _influence,
    ("values", "similarities"),
    range=(-1.0, 1.0),
    correlation=True,
    rescaled_by_course=True,
)
