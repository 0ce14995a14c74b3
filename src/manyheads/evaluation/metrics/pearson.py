"""Pearson's correlation."""

from __future__ import annotations

import math

import numpy as np

from manyheads.evaluation.metrics.metric import Floats, Metric, constant
from manyheads.tasks.kind import Predictions


def pearson(predictions: Predictions, targets: Floats) -> float | None:
    """Return Pearson's r. None for fewer than two examples, or if predictions or targets are (nearly) constant."""
    return correlation(predictions.values, targets)


def correlation(one: Floats, other: Floats) -> float | None:
    """Return Pearson's r of two variables. None if one of them is (nearly) constant."""
    if constant(one) or constant(other):
        return None
    centred_one, centred_other = one - one.mean(), other - other.mean()
    r = float(centred_one @ centred_other / (np.linalg.norm(centred_one) * np.linalg.norm(centred_other)))
    return max(-1.0, min(1.0, r)) if math.isfinite(r) else None


def _influence(predictions: Predictions, targets: Floats) -> Floats:
    """Return z_p z_t - r (z_p^2 + z_t^2) / 2 of standardised values (Devlin, Gnanadesikan and Kettenring 1975)."""
    one, other = _standardised(predictions.values), _standardised(targets)
    r = float(np.mean(one * other))
    influence: Floats = one * other - r * (one**2 + other**2) / 2
    return influence


def _standardised(values: Floats) -> Floats:
    standardised: Floats = (values - values.mean()) / values.std()
    return standardised


PEARSON = Metric(
    "pearson",
    "Pearson r",
    pearson,
    _influence,
    ("values", "similarities"),
    range=(-1.0, 1.0),
    correlation=True,
    rescaled_by_course=True,
)
