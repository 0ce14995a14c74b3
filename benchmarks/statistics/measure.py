"""What is measured over many simulated studies of one condition."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from benchmarks.statistics.condition import Condition
from benchmarks.statistics.simulate import draw
from manyheads.evaluation.estimate import components, contrast, prior_of, shared_seeds
from manyheads.evaluation.sample import Sample

POWER_AT = 0.02
"""The difference at which power is measured."""


@dataclass(frozen=True)
class Measures:
    """Shares of the simulated studies, and mean widths of intervals.

    `mean`, `difference`: coverage of 95% intervals. `type_1`: share of studies in which a test of one difference at 5%
    finds one; for the last row, which may be noisier. `effect`: the same for a main effect over four rows. `family`:
    share of studies with a significant difference after Holm's correction. `power`: of one test, for a true difference
    of .02. `undefined`: share of studies without a metric.
    """

    studies: int
    mean: float
    mean_width: float
    difference: float
    difference_width: float
    type_1: float
    effect: float
    family: float
    power: float
    outside: float
    undefined: float


def measure(condition: Condition, studies: int) -> Measures:
    """Simulate studies of a condition. The random numbers depend on the condition and on nothing else."""
    rng = np.random.default_rng([*condition.name.encode()])
    found = []
    undefined = 0
    for _ in range(studies):
        study = draw(condition, rng)
        rows = [row for row in study.rows if row is not None]
        if len(rows) < len(study.rows):
            undefined += 1
            continue
        found.append(_study(rows, study.truth))
    values = np.array(found, dtype=np.float64)
    means = [float(np.nanmean(column)) if np.isfinite(column).any() else math.nan for column in values.T]
    return Measures(studies, *means, undefined=undefined / studies)


def _study(rows: list[Sample], truth: float) -> list[float]:
    prior = prior_of([(row.seeds or (), row.values) for row in rows])
    one = contrast([[rows[0]]], [1.0])
    outside = float(one.low < rows[0].low - 1e-9 or one.high > rows[0].high + 1e-9 or one.high <= one.low)
    gaps, parts = [], []
    for row in rows[1:]:
        parts.append(components([[row], [rows[0]]], [1.0, -1.0], prior))
        gaps.append(_value([row, rows[0]], [1.0, -1.0]))
    half = parts[0].half_width(0.05)
    family = any(abs(gap) > part.half_width(0.05 / len(gaps)) for gap, part in zip(gaps, parts, strict=True))
    effect = math.nan
    if len(rows) == 4:
        weights = [-0.5, -0.5, 0.5, 0.5]
        value = _value(rows, weights)
        effect = float(abs(value) > components([[row] for row in rows], weights, prior).half_width(0.05))
    return [
        float(one.low <= truth <= one.high),
        one.high - one.low,
        float(abs(gaps[0]) <= half),
        2 * half,
        float(abs(gaps[-1]) > parts[-1].half_width(0.05)),
        effect,
        float(family),
        float(abs(gaps[0] - POWER_AT) > half),
        outside,
    ]


def _value(rows: list[Sample], weights: list[float]) -> float:
    """Return a contrast of rows over the seeds that they share."""
    shared = shared_seeds([[row] for row in rows])
    return float(sum(w * row[0].values.mean() for w, row in zip(weights, shared, strict=True)))
