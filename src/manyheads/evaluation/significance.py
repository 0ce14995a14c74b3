"""Tests of the rows of a study: corrected p values, margins, collapsed seeds, and the lack of fit of a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, stats

from manyheads.evaluation.estimate import Estimate, p_value, per_unit, shared_seeds
from manyheads.evaluation.sample import Floats, Sample


def holm(p_values: Sequence[float | None]) -> list[float | None]:
    """Return p values with Holm's step-down correction (Holm 1979).

    It controls the familywise error for any dependence between the tests. None (no test) stays None and does not
    count.
    """
    known = sorted((p, place) for place, p in enumerate(p_values) if p is not None)
    corrected: list[float | None] = [None] * len(p_values)
    largest = 0.0
    for rank, (p, place) in enumerate(known):
        largest = max(largest, min(1.0, (len(known) - rank) * p))
        corrected[place] = largest
    return corrected


DEVIATIONS = 5.0
"""Robust standard deviations below the median."""

LEAST = 0.05
"""A smaller distance from the median is no collapse, however small the deviations are."""

TO_SD = 1.4826
"""The standard deviation of a normal variable divided by its median absolute deviation."""


def collapsed(values: Floats, references: Sequence[Floats] = ()) -> NDArray[np.bool_]:
    """Return which seeds of a row are collapsed: bool[S].

    A seed is collapsed if it is more than `LEAST` and more than `DEVIATIONS` robust standard deviations below the
    median. The deviations are those of the row's and the references' seeds, each from its own median. Their scale is
    the median absolute deviation (Hampel 1974), multiplied by N / (N - 2 rows), because the medians fit few seeds too
    well. Then fewer than 1% of normal seeds are more than `DEVIATIONS` below, with three seeds or more.

    `values`: float64[S], the metric of each seed of the row. `references`: that of each seed of other rows.
    """
    groups = [group for group in (values, *references) if len(group)]
    free = sum(map(len, groups)) - 2 * len(groups)
    if not len(values) or free <= 0:
        return np.zeros(len(values), dtype=bool)
    centred = np.concatenate([group - np.median(group) for group in groups])
    middle = float(np.median(centred))
    scale = TO_SD * float(np.median(np.abs(centred - middle))) * len(centred) / free
    below = middle - (values - np.median(values))
    found: NDArray[np.bool_] = (below > DEVIATIONS * scale) & (below > LEAST)
    return found


def shares_differ(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the two-sided p value of Fisher's exact test (Fisher 1935) that two rows have the same share of collapses.

    `one`, `other`: the number of collapsed seeds and the number of all seeds.
    """
    table = np.array([[count, total - count] for count, total in (one, other)])
    return float(stats.fisher_exact(table).pvalue)


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


ERROR = 0.10
"""1 - level of the interval of two one-sided tests at 5%."""


@dataclass(frozen=True)
class AgainstMargin:
    """A difference against a margin.

    `low`, `high`: the 90% interval. `p_not_worse`: the one-sided p value of the hypothesis that the true difference is
    -margin or less (non-inferiority). `p_equivalent`: the p value of the hypothesis that its size is the margin or more
    (two one-sided tests, Schuirmann 1987). The p values are None if there are too few seeds.
    """

    low: float
    high: float
    p_not_worse: float | None
    p_equivalent: float | None


def against_margin(estimate: Estimate, margin: float) -> AgainstMargin | None:
    """Test a difference against a margin above 0. None if the estimate has no variance components."""
    if estimate.parts is None:
        return None
    half = estimate.parts.half_width(ERROR)
    above, below = above_by(estimate, -margin), above_by(estimate, margin)
    equivalent = None if above is None or below is None else max(above, 1 - below)
    return AgainstMargin(estimate.mean - half, estimate.mean + half, above, equivalent)


def above_by(estimate: Estimate, value: float) -> float | None:
    """Return the one-sided p value of the hypothesis that the true value is at most `value`. None without a test."""
    if estimate.p is None or estimate.parts is None:
        return None
    distance = estimate.mean - value
    half = p_value(distance, estimate.parts) / 2
    return half if distance > 0 else 1 - half
