"""Estimates over seeds and dev examples: means, differences and other contrasts of rows, with intervals and p values.

The statistical model has two crossed random factors. The result of run s of row r on dev example i differs from the
true value of the row by

    seed_rs + example_ri + residual_rsi

Seeds are independent between rows, even if rows use the same seed numbers, because their models differ. The dev
examples of a task are one sample that all rows and seeds share, so the difficulty of an example cancels in a
difference. The tasks of a row share its runs (one model); the examples of different tasks are independent samples.
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
"""Smaller p values are reported as this value."""


@dataclass(frozen=True)
class Sample:
    """A metric of one task and one row.

    `values`: float64[S], the metric of each seed. `influence`: float64[S, n], the influence of each example on the
    metric of each seed. Its mean over the examples is 0; see `influence.sample`.
    """

    values: Floats
    influence: Floats


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval.

    `p`: the two-sided p value of the hypothesis that the true value is 0, None if it cannot be computed. `se`: the
    standard error. `df`: the degrees of freedom of the t distribution that gives this interval. `seeds_known`: False
    if a row has only one seed; the interval then covers sampling variance only.
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
    """The variance components of a contrast.

    `seeds`: the seed variance of the rows' means, which includes the residual, with `seeds_df` degrees of freedom
    (Welch 1947, Satterthwaite 1946). `examples`: the sampling variance of the examples, without the residual.
    `examples_df`: the smallest number of examples of a task, minus 1.
    """

    seeds: float
    seeds_df: float
    examples: float
    examples_df: float

    def half_width(self, error: float) -> float:
        """Return half the width of the interval of level 1 - `error`.

        Each component uses the t quantile of its own degrees of freedom: the method of variance estimates recovery
        (Zou and Donner 2008; Howe 1974). Without sampling variance this is Welch's interval; without seed variance it
        is the paired t interval over examples. A single t quantile with Satterthwaite's degrees of freedom covers only
        90 to 93% instead of 95% with 3 seeds: when the seed variance is small by chance, it also assumes too many
        degrees of freedom.
        """
        return math.sqrt(_share(self.seeds, self.seeds_df, error) + _share(self.examples, self.examples_df, error))

    @property
    def standard_error(self) -> float:
        """The square root of the sum of both components."""
        return math.sqrt(self.seeds + self.examples)


def contrast(rows: Sequence[Sequence[Sample]], weights: Sequence[float], level: float = 0.95) -> Estimate:
    """Estimate a weighted sum of rows. The weights [1] give a mean, [1, -1] a difference, others any contrast.

    `rows[r]`: the samples of a row, one per task, with the same order of tasks in every row. The value of a row is the
    mean over its tasks. The examples of a task must be the same, in the same order, in every row.

    Raises:
        ValueError: There are no rows, or rows have different tasks or examples.
    """
    _check(rows, weights)
    mean = float(sum(w * _by_seed(row).mean() for w, row in zip(weights, rows, strict=True)))
    parts = components(rows, weights)
    known = all(len(row[0].values) > 1 for row in rows)
    half, se = parts.half_width(1 - level), parts.standard_error
    p = _p_value(mean, parts) if known and se > 0 else None
    return Estimate(mean, mean - half, mean + half, p, se, _matching_df(half, se, 1 - level), known)


def components(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> Components:
    """Estimate the variance components of a contrast with the method of moments."""
    pieces = [
        (w * w * float(np.var(_by_seed(row), ddof=1)) / len(row[0].values), len(row[0].values) - 1)
        for w, row in zip(weights, rows, strict=True)
        if len(row[0].values) > 1
    ]
    seeds = math.fsum(piece for piece, _ in pieces)
    # Welch-Satterthwaite degrees of freedom, for the component that has few of them.
    seeds_df = seeds**2 / math.fsum(piece**2 / df for piece, df in pieces) if seeds > 0 else 1.0
    examples, tasks = 0.0, len(rows[0])
    counts = [part.influence.shape[1] for part in rows[0]]
    for task, count in enumerate(counts):
        combined = sum(w * row[task].influence.mean(axis=0) for w, row in zip(weights, rows, strict=True))
        residual = sum(w * w * _residual(row[task].influence) for w, row in zip(weights, rows, strict=True))
        examples += (float(np.var(combined, ddof=1)) - residual) / count / tasks**2
    return Components(seeds, seeds_df, max(0.0, examples), min(counts) - 1)


def _share(variance: float, df: float, error: float) -> float:
    """Return the contribution of a variance component to the squared half width."""
    return float(special.stdtrit(df, error / 2)) ** 2 * variance if variance > 0 else 0.0


def _residual(influence: Floats) -> float:
    """Return the residual variance of a mean over seeds, which is due to neither seed nor example. 0 for one seed."""
    seeds, count = influence.shape
    if seeds == 1:
        return 0.0
    residuals = influence - influence.mean(axis=0)
    variance: float = np.square(residuals).sum().item() / ((seeds - 1) * (count - 1)) / seeds
    return variance


def _p_value(mean: float, parts: Components) -> float:
    """Return the p for which the interval of level 1 - p ends at 0. Test and interval agree at every level."""
    if mean == 0:
        return 1.0

    def reaches(log_p: float) -> float:
        return parts.half_width(math.exp(log_p)) - abs(mean)

    if reaches(SMALLEST_LOG_P) <= 0:
        return math.exp(SMALLEST_LOG_P)
    return math.exp(float(optimize.brentq(reaches, SMALLEST_LOG_P, 0.0, xtol=1e-12)))


def _matching_df(half: float, se: float, error: float) -> float:
    """Return the degrees of freedom of the t distribution with this half width and standard error."""
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
    """Return the value of the row for each seed, the mean over its tasks: float64[S]."""
    means: Floats = np.mean([sample.values for sample in row], axis=0)
    return means


def _check(rows: Sequence[Sequence[Sample]], weights: Sequence[float]) -> None:
    if not rows or len(rows) != len(weights) or not rows[0]:
        raise ValueError("a contrast needs rows, each with at least one task and a weight")
    shapes = {tuple(sample.influence.shape[1] for sample in row) for row in rows}
    if len(shapes) > 1:
        raise ValueError(f"rows have different tasks or numbers of examples: {sorted(shapes)}")
    for row in rows:
        if len({len(sample.values) for sample in row} | {sample.influence.shape[0] for sample in row}) > 1:
            raise ValueError("the tasks of a row have different seeds")
