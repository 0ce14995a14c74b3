"""A test of whether an additive model of the rows of a study fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import linalg, stats

from manyheads.evaluation.estimate import per_unit, shared_seeds
from manyheads.evaluation.sample import Floats, Sample


@dataclass(frozen=True)
class LackOfFit:
    """The test that the rows have no effects beyond those of a model. `df`: the effects that the model leaves out."""

    df: int
    p: float


def lack_of_fit(rows: Sequence[Sequence[Sample]], design: Floats) -> LackOfFit | None:
    """Test whether the true values of the rows are a linear function of the columns of a design.

    The contrasts of rows that the model sets to zero are compared with their variance: that of the seeds, from the
    residuals of a two-way layout of rows and seeds, plus that of the dev examples. The statistic is referred to an F
    distribution with the degrees of freedom of the residuals (Scheffe 1959, sections 4.2 and 8.1).

    `rows`: the samples of each row. `design`: float64[rows, columns], with the constant.

    Returns:
        None if the model has as many parameters as rows, or rows share fewer than two seeds.
    """
    left = linalg.null_space(design.T)
    shared = shared_seeds(rows)
    if not left.shape[1] or len({row[0].seeds for row in shared}) > 1 or shared[0][0].seeds is None:
        return None
    values = np.array([np.mean([part.values for part in row], axis=0) for row in shared])
    count, seeds = values.shape
    if seeds < 2:
        return None
    residuals = values - values.mean(axis=0) - values.mean(axis=1, keepdims=True) + values.mean()
    df = (count - 1) * (seeds - 1)
    of_seeds = float(np.square(residuals).sum()) / df / seeds
    units = left.T @ np.array([per_unit(row).mean(axis=0) for row in shared])
    variance = of_seeds * np.eye(len(units)) + units @ units.T
    contrasts = left.T @ values.mean(axis=1)
    if np.linalg.matrix_rank(variance, hermitian=True) < len(units):
        return None
    statistic = float(contrasts @ np.linalg.solve(variance, contrasts)) / len(units)
    return LackOfFit(len(units), float(stats.f.sf(statistic, len(units), df)))
