"""Draw studies whose rows are equal, with a known true value."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from benchmarks.statistics.condition import Condition
from manyheads.evaluation.crossfit import Half, best_evaluations, half_scores, halves_of, swapped
from manyheads.evaluation.sample import Sample, sample
from manyheads.evaluation.significance import collapsed

Floats = NDArray[np.float64]

NOISE = 0.36
"""The variance of the noise of one run on one example. The ease of an example has the variance 1."""

COMMON = 0.7
"""The share of the errors of a regression that all runs have in common."""

R = 0.85
"""The correlation of a regression."""

R_SD = 0.15
"""The standard deviation of the correlation of a run, divided by that of a latent seed effect."""

PERSISTENT = 0.5
"""The share of the noise of a run that all of its evaluations have in common."""

RARE = 0.02
"""The share of the rare class of macro-F1."""


@dataclass(frozen=True)
class Study:
    """A simulated study. `rows`: the sample of each row; None if a metric is undefined. `truth`: of every row."""

    rows: list[Sample | None]
    truth: float


def draw(condition: Condition, rng: np.random.Generator) -> Study:
    """Draw one study.

    Classification: an example is predicted correctly if its ease, the effect of the seed and noise exceed a threshold.
    Regression: predictions are targets plus errors that runs partly share. The size of the errors depends on the seed.
    """
    shifts = _shifts(condition, rng)
    clusters = np.repeat(np.arange(condition.n // condition.clusters), condition.clusters)
    regression = condition.metric in ("pearson", "spearman")
    targets, predictions = (_regression if regression else _classes)(condition, shifts, clusters, rng)
    known = None if condition.clusters == 1 or condition.ignore_clusters else clusters
    first = None
    if max(condition.evaluations_of_rows) > 1 and condition.select == "crossfit":
        strata = None if regression else targets
        first = halves_of({"task": [*map(str, range(len(targets)))]}, {"task": known}, {"task": strata})["task"]
    rows = []
    for each in predictions:
        values = np.stack([_selected(condition.metric, run, targets, first) for run in each])
        rows.append(
            sample(condition.metric, values, targets, seeds=range(condition.seeds), clusters=known, first=first)
        )
    return Study(_sound(rows) if condition.collapse else rows, truth(condition))


def _sound(rows: list[Sample | None]) -> list[Sample | None]:
    """Return the rows without their collapsed seeds."""
    found: list[Sample | None] = []
    for row in rows:
        others = rows[1:] if row is rows[0] else rows[:1]
        references = [each.values for each in others if each is not None]
        flags = [] if row is None else collapsed(row.values, references)
        seeds = () if row is None else row.seeds or ()
        found.append(row and row.take([seed for seed, flag in zip(seeds, flags, strict=True) if not flag]))
    return found


def _selected(metric: str, run: Floats, targets: Floats, first: Half | None) -> Floats:
    """Return the predictions of one run: of the best evaluation, or cross-fitted over two halves of the examples.

    `run`: float64[E, n].
    """
    halves = half_scores(metric, run, targets, np.ones(len(targets), dtype=bool) if first is None else first)
    if first is None:
        return run[int(np.nanargmax(halves[0]))] if len(run) > 1 else run[0]  # type: ignore[no-any-return]
    chosen = best_evaluations(halves)
    return run[0] if chosen is None else swapped(run, first, chosen)  # type: ignore[no-any-return]


def _shifts(condition: Condition, rng: np.random.Generator) -> Floats:
    """Return the latent effect of each run: float64[rows, seeds]."""
    own = rng.standard_normal((condition.rows, condition.seeds))
    own[-1] *= condition.noise
    shared = rng.standard_normal(condition.seeds)
    effects = np.sqrt(condition.correlation) * shared + np.sqrt(1 - condition.correlation) * own
    return condition.seed_sd * effects


def _classes(
    condition: Condition, shifts: Floats, clusters: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, list[Floats]]:
    n = len(clusters)
    targets = (rng.random(n) < _prevalence(condition)).astype(np.float64)
    cuts = np.array(_cuts(condition))[targets.astype(int)]
    ease = _within(condition, rng.standard_normal, clusters)
    spread = np.sqrt(_totals(condition))
    predictions = []
    for row, noise in enumerate(_noise(condition, n, rng)):
        latent = ease + shifts[row][:, None, None] + np.sqrt(NOISE) * noise
        if condition.apart:
            latent += np.sqrt(condition.apart) * rng.standard_normal(n)
        correct = latent > cuts * spread[row]
        predictions.append(np.where(correct, targets, 1 - targets))
        if condition.collapse:
            predictions[-1][rng.random(condition.seeds) < condition.collapse] = 0.0
    return targets, predictions


def _noise(condition: Condition, n: int, rng: np.random.Generator) -> list[Floats]:
    """Return the noise of each row: float64[seeds, evaluations, n], with variance 1.

    The evaluations of a run have a part of the variance in common.
    """
    noise = rng.standard_normal((condition.rows, condition.seeds, n), dtype=np.float32)
    found = []
    for own, evaluations in zip(noise, condition.evaluations_of_rows, strict=True):
        common = own[:, None, :]
        if evaluations > 1:
            each = rng.standard_normal((condition.seeds, evaluations, n), dtype=np.float32)
            common = np.sqrt(PERSISTENT) * common + np.sqrt(1 - PERSISTENT) * each
        found.append(common)
    return found


def _regression(
    condition: Condition, shifts: Floats, clusters: NDArray[np.int64], rng: np.random.Generator
) -> tuple[Floats, list[Floats]]:
    draws = {
        "normal": rng.standard_normal,
        "skewed": lambda size: (rng.chisquare(4, size) - 4) / np.sqrt(8),
        "t3": lambda size: rng.standard_t(3, size) / np.sqrt(3),
    }[condition.distribution]
    targets, common = (_within(condition, draws, clusters) for _ in range(2))
    r = _r(shifts)[:, :, None, None]
    predictions = []
    for row, own in enumerate(_noise(condition, len(clusters), rng)):
        errors = np.sqrt(COMMON) * common + np.sqrt(1 - COMMON) * own
        predictions.append(targets + np.sqrt(1 / r[row] ** 2 - 1) * errors)
    return targets, predictions


def _within(condition: Condition, draws: object, clusters: NDArray[np.int64]) -> Floats:
    """Draw a value per example. 80% of the variance is shared within a cluster."""
    n = len(clusters)
    if condition.clusters == 1:
        return draws(n)  # type: ignore[operator, no-any-return]
    shared, own = draws(clusters[-1] + 1), draws(n)  # type: ignore[operator]
    return np.sqrt(0.8) * shared[clusters] + np.sqrt(0.2) * own  # type: ignore[no-any-return]


def _prevalence(condition: Condition) -> float:
    return RARE if condition.metric == "macro_f1" else 0.5


def _cuts(condition: Condition) -> tuple[float, float]:
    """Return the thresholds of both classes, in standard deviations: the rare class of macro-F1 is the second one."""
    other = 0.994 if condition.metric == "macro_f1" else condition.accuracy
    return -float(special.ndtri(other)), -float(special.ndtri(condition.accuracy))


def _totals(condition: Condition) -> Floats:
    """Return the latent variance of each row, so that a noisy row has the same accuracy: float64[rows]."""
    totals = np.full(condition.rows, 1.0)
    totals[-1] = condition.correlation + (1 - condition.correlation) * condition.noise**2
    return 1 + NOISE + condition.apart + condition.seed_sd**2 * totals


def _r(shifts: Floats) -> Floats:
    """Return the correlation of runs with these latent effects."""
    return np.clip(R + R_SD * shifts, 0.2, 0.99)


@cache
def truth(condition: Condition) -> float:
    """Return the expected metric of a run on all examples, by numerical integration over the effect of the seed."""
    points, weights = np.polynomial.hermite_e.hermegauss(61)
    weights = weights / weights.sum()
    effects = condition.seed_sd * points
    if condition.metric in ("pearson", "spearman"):
        r = _r(effects)
        return float(weights @ (r if condition.metric == "pearson" else 6 / np.pi * np.arcsin(r / 2)))
    spread = np.sqrt(_totals(condition)[0])
    own = np.sqrt(1 + NOISE + condition.apart)
    first, second = (special.ndtr((effects - cut * spread) / own) for cut in _cuts(condition))
    share = _prevalence(condition)
    right, missed, hits, other = (1 - share) * first, share * (1 - second), share * second, (1 - share) * (1 - first)
    if condition.metric == "accuracy":
        return float(weights @ (right + hits))
    if condition.metric == "macro_f1":
        return float(weights @ (hits / (2 * hits + missed + other) + right / (2 * right + missed + other)))
    spreads = (hits + other) * (hits + missed) * (right + other) * (right + missed)
    return float(weights @ ((hits * right - missed * other) / np.sqrt(spreads)))
