"""Estimates over seeds and dev examples: means, differences and any contrast of rows, with intervals and p values.

The model has two ways, crossed. Run s of row r, on dev example i, differs from the row's true figure by

    seed_rs + example_ri + residual_rsi

Seeds are independent for every row, also where rows use the same seed numbers: their models differ. The dev examples
of a task are one sample, shared by all rows and seeds, so that what is hard for all cancels in a difference. The runs
of a row are shared by its tasks (one model), the tasks' examples are independent samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import optimize, special

Floats = NDArray[np.float64]

SMALLEST_LOG_P = math.log(1e-12)
"""Below this a p value says nothing but "very small"."""


@dataclass(frozen=True)
class Sample:
    """A metric of one task and one row: `values` float64[S], a figure a seed, and `influence` float64[S, n].

    The influence of an example on a seed's figure, of mean 0 over the examples; see `influence.sample`.
    """

    values: Floats
    influence: Floats


@dataclass(frozen=True)
class Estimate:
    """A figure with its interval. `p`: two-sided, of the true figure being 0; None where it cannot be had.

    `se`: the standard error. `df`: degrees of freedom of the t distribution whose interval this is.
    `seeds_known`: False where a row has one seed, so that the interval holds the chance of the examples alone.
    """

    mean: float
    low: float
    high: float
    p: float | None
    se: float
    df: float
    seeds_known: bool


@dataclass(frozen=True)
class Components:
    """The variance of a contrast in its parts.

    `seeds`: the variance of the rows' means between seeds, with `seeds_df` degrees of freedom (Welch 1947,
    Satterthwaite 1946); the residual is in it. `examples`: that of the examples' effects, without the residual.
    `examples_df`: the smallest number of examples of a task, less one.
    """

    seeds: float
    seeds_df: float
    examples: float
    examples_df: float

    def half_width(self, error: float) -> float:
        """Half the interval of level 1 - `error`: each part with the t quantile of its own degrees of freedom.

        That is recovery of variance estimates (Zou and Donner 2008; Howe 1974), and at 0 examples' variance Welch's
        interval, at 0 seeds' variance the paired t over examples. One t with Satterthwaite's degrees of freedom for
        the sum was tried first: with 3 seeds it covers 90 to 93% where it says 95, for when the seeds' variance comes
        out small by chance, it also claims many degrees of freedom.
        """
        return math.sqrt(_share(self.seeds, self.seeds_df, error) + _share(self.examples, self.examples_df, error))

    @property
    def standard_error(self) -> float:
        """The square root of the sum of both parts."""
        return math.sqrt(self.seeds + self.examples)


def contrast(rows: Sequence[Sequence[Sample]], weights: Sequence[float], level: float = 0.95) -> Estimate:
    """The estimate of a weighted sum of rows: weights [1] a mean, [1, -1] a difference, any others any contrast.

    `rows[r]`: the samples of a row, one a task, in the same order of tasks for every row; the figure of a row is the
    mean over its tasks. The examples of a task are the same, in the same order, in every row.

    Raises:
        ValueError: no rows, or rows of different tasks or examples.
    """
    _check(rows, weights)
    mean = float(sum(w * _by_seed(row).mean() for w, row in zip(weights, rows, strict=True)))
    parts = components(rows, weights)
    known = all(len(row[0].values) > 1 for row in rows)
    half, se = parts.half_width(1 - level), parts.standard_error
    p = _p_value(mean, parts) if known and se > 0 else None
    return Estimate(mean, mean - half, mean + half, p, se, _matching_df(half, se, 1 - level), known)


def components(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> Components:
    """The variance of a contrast, in its parts, by the method of moments."""
    pieces = [
        (w * w * float(np.var(_by_seed(row), ddof=1)) / len(row[0].values), len(row[0].values) - 1)
        for w, row in zip(weights, rows, strict=True)
        if len(row[0].values) > 1
    ]
    seeds = math.fsum(piece for piece, _ in pieces)
    # Welch and Satterthwaite, for the part that has few degrees of freedom.
    seeds_df = seeds**2 / math.fsum(piece**2 / df for piece, df in pieces) if seeds > 0 else 1.0
    examples, tasks = 0.0, len(rows[0])
    counts = [part.influence.shape[1] for part in rows[0]]
    for task, count in enumerate(counts):
        combined = sum(w * row[task].influence.mean(axis=0) for w, row in zip(weights, rows, strict=True))
        residual = sum(w * w * _residual(row[task].influence) for w, row in zip(weights, rows, strict=True))
        examples += (float(np.var(combined, ddof=1)) - residual) / count / tasks**2
    return Components(seeds, seeds_df, max(0.0, examples), min(counts) - 1)


def _share(variance: float, df: float, error: float) -> float:
    """A part's share of the squared half width."""
    return float(special.stdtrit(df, error / 2)) ** 2 * variance if variance > 0 else 0.0


def _residual(influence: Floats) -> float:
    """The variance of a mean over seeds that stems from what is neither the seed's nor the example's: 0 of one seed."""
    seeds, count = influence.shape
    if seeds == 1:
        return 0.0
    left = influence - influence.mean(axis=0)
    found: float = np.square(left).sum().item() / ((seeds - 1) * (count - 1)) / seeds
    return found


def _p_value(mean: float, parts: Components) -> float:
    """The p whose interval of level 1 - p ends at 0: the test that belongs to the interval at every level."""
    if mean == 0:
        return 1.0

    def reaches(log_p: float) -> float:
        return parts.half_width(math.exp(log_p)) - abs(mean)

    if reaches(SMALLEST_LOG_P) <= 0:
        return math.exp(SMALLEST_LOG_P)
    return math.exp(float(optimize.brentq(reaches, SMALLEST_LOG_P, 0.0, xtol=1e-12)))


def _matching_df(half: float, se: float, error: float) -> float:
    """The degrees of freedom of the t distribution that gives this half width for this standard error."""
    if se == 0:
        return math.inf
    ratio = half / se

    def wider(log_df: float) -> float:
        return -float(special.stdtrit(math.exp(log_df), error / 2)) - ratio

    most = math.log(1e7)
    if wider(most) >= 0:
        return math.inf
    return math.exp(float(optimize.brentq(wider, 0.0, most))) if wider(0.0) > 0 else 1.0


def _by_seed(row: Sequence[Sample]) -> Floats:
    """The row's figure of each seed: the mean over its tasks, float64[S]."""
    found: Floats = np.mean([sample.values for sample in row], axis=0)
    return found


def _check(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> None:
    if not rows or len(rows) != len(weights) or not rows[0]:
        raise ValueError("a contrast needs rows, each with at least one task, and a weight for each")
    shapes = {tuple(sample.influence.shape[1] for sample in row) for row in rows}
    if len(shapes) > 1:
        raise ValueError(f"rows have other tasks or examples than one another: {sorted(shapes)}")
    for row in rows:
        if len({len(sample.values) for sample in row} | {sample.influence.shape[0] for sample in row}) > 1:
            raise ValueError("the tasks of a row have different seeds")
