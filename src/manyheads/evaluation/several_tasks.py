"""Rows over several data sets: on how many they are better, robust summaries, and ranks.

`at_least` makes statements about the tasks of the study. `summaries` describe all scores of a row. `ranks` treat the
tasks as a sample of tasks, and make statements about other ones.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from manyheads.evaluation.sample import Floats, Sample
from manyheads.evaluation.significance import holm

RESAMPLES = 2000

LEAST_SEEDS = 5
"""With fewer seeds, the intervals of a bootstrap are far too narrow, and there are none."""

LEAST_FOR_RANKS, LEAST_FOR_WILCOXON = 5, 6
"""Fewer tasks: no critical difference is below the largest possible one; no signed-rank test reaches 5%."""


def at_least(p_values: Sequence[float]) -> list[float]:
    """Return the p value of the hypothesis that fewer than u effects are real, for u = 1 to T.

    Partial conjunction by Bonferroni's method, which allows any dependence between the T tests (Dror, Baumer, Bogomolov
    and Reichart 2017, section 3.2; Benjamini and Heller 2008). Fisher's method would need independent tests, and the
    tasks of a row share its runs.
    """
    ordered, total = sorted(p_values), len(p_values)
    found, largest = [], 0.0
    for place, p in enumerate(ordered):
        largest = max(largest, min(1.0, (total - place) * p))
        found.append(largest)
    return found


def counted_at(p_values: Sequence[float], level: float = 0.05) -> int:
    """Return the largest u whose p value is at most `level`: a lower bound of the number of real effects."""
    return sum(p <= level for p in p_values)


@dataclass(frozen=True)
class Bounded:
    """A summary with the ends of its 95% bootstrap interval, None with too few seeds."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Summary:
    """Summaries of a row: the interquartile mean of its scores, and the probability of improvement.

    `improvement`: the probability that a run of the row has a higher metric than a run of the baseline, averaged over
    the tasks (ties count one half). None for the baseline.
    """

    iqm: Bounded
    improvement: Bounded | None


def summaries(rows: Mapping[str, Sequence[Sample]], baseline: str) -> dict[str, Summary]:
    """Summarise the scores of each row over its tasks and seeds (Agarwal et al. 2021, section 4).

    The stratified bootstrap keeps the tasks. It resamples the seeds, each with all tasks and all rows that share its
    runs, and shifts each task by the sampling error of its dev examples (normal, from the influences). All rows have
    the tasks of the baseline.
    """
    rng = np.random.default_rng(0)
    seeds = len(rows[baseline][0].values)
    picks = rng.integers(seeds, size=(RESAMPLES, seeds))
    noise = rng.standard_normal((RESAMPLES, len(rows[baseline]), 2))
    found = {}
    for name, row in rows.items():
        scores, other = _scores(row), _scores(rows[baseline])
        resampled = _resampled(scores, picks, rng)
        reference = _resampled(other, picks, rng)
        shifts = np.stack(
            [_shifts(*pair, noise[:, task]) for task, pair in enumerate(zip(row, rows[baseline], strict=True))], axis=1
        )
        moved = resampled + shifts[:, :, None, 0]
        iqms = np.asarray(stats.trim_mean(moved.reshape(RESAMPLES, -1), 0.25, axis=1))
        iqm = _bounded(float(stats.trim_mean(scores.ravel(), 0.25)), iqms, scores.shape[1])
        improvement = None
        if name != baseline:
            values = _improvement(moved, reference + shifts[:, :, None, 1])
            few = min(scores.shape[1], other.shape[1])
            improvement = _bounded(float(_improvement(scores[None], other[None])[0]), values, few)
        found[name] = Summary(iqm, improvement)
    return found


def _scores(row: Sequence[Sample]) -> Floats:
    """Return the metric of each task and seed: float64[T, S]."""
    return np.stack([part.values for part in row])


def _resampled(scores: Floats, picks: np.ndarray, rng: np.random.Generator) -> Floats:
    """Return resamples of the runs of a row: float64[B, T, S]. Rows with the baseline's seeds share the draws."""
    if scores.shape[1] != picks.shape[1]:
        picks = rng.integers(scores.shape[1], size=(len(picks), scores.shape[1]))
    resampled: Floats = scores[:, picks].transpose(1, 0, 2)
    return resampled


def _shifts(one: Sample, other: Sample, noise: Floats) -> Floats:
    """Return sampling errors of a task's metric in two rows, which share its examples: float64[B, 2]."""
    influence = np.stack([each.influence.mean(axis=0) for each in (one, other)])
    units = influence.shape[1]
    covariance = influence @ influence.T / (units * max(1, units - 1))
    scale, vectors = np.linalg.eigh(covariance)
    shifts: Floats = noise @ (vectors * np.sqrt(np.maximum(scale, 0))).T
    return shifts


def _improvement(one: Floats, other: Floats) -> Floats:
    """Return the mean over tasks of the probability that a run of one row is better: float64[B]."""
    gaps = np.sign(one[:, :, :, None] - other[:, :, None, :])
    improvement: Floats = (gaps.mean(axis=(1, 2, 3)) + 1) / 2
    return improvement


def _bounded(value: float, resampled: Floats, seeds: int) -> Bounded:
    if seeds < LEAST_SEEDS:
        return Bounded(value, None, None)
    # Expanded percentiles: a bootstrap of few seeds has too small a variance, and no t quantile (Hesterberg 2015).
    tail = float(special.ndtr(math.sqrt(seeds / (seeds - 1)) * special.stdtrit(seeds - 1, 0.025)))
    low, high = np.quantile(resampled, [tail, 1 - tail])
    return Bounded(value, float(low), float(high))


@dataclass(frozen=True)
class Ranks:
    """Ranks of R rows over T tasks. The best row of a task has rank 1.

    `mean`: by row. `p`: of Friedman's test that all rows are equal. `critical`: rows whose mean ranks differ by less
    cannot be distinguished (Nemenyi 1963). `p_wilcoxon`: of the signed-rank test of each row against the baseline,
    Holm-corrected; None with fewer than six tasks. The tests need five tasks and three rows; else they are None.
    """

    mean: Mapping[str, float]
    p: float | None
    critical: float | None
    p_wilcoxon: Mapping[str, float | None]


def ranks(scores: Mapping[str, Sequence[float]], baseline: str) -> Ranks:
    """Rank rows by their means over seeds in each task (Demsar 2006, sections 3.1.3 and 3.2).

    `scores`: the mean of each row in each task, with the same order of tasks.
    """
    table = np.array(list(scores.values()))
    rows, tasks = table.shape
    means = stats.rankdata(-table, axis=0).mean(axis=1)
    p = critical = None
    if rows > 2 and tasks >= LEAST_FOR_RANKS:
        p = float(stats.friedmanchisquare(*table).pvalue) if np.ptp(table, axis=0).any() else 1.0
        quantile = float(stats.studentized_range.ppf(0.95, rows, np.inf)) / math.sqrt(2)
        critical = quantile * math.sqrt(rows * (rows + 1) / (6 * tasks))
    signed: dict[str, float | None] = dict.fromkeys(scores)
    if tasks >= LEAST_FOR_WILCOXON:
        others = [name for name in scores if name != baseline]
        gaps = [np.subtract(scores[name], scores[baseline]) for name in others]
        found = [float(stats.wilcoxon(gap).pvalue) if gap.any() else 1.0 for gap in gaps]
        signed.update(zip(others, holm(found), strict=True))
    return Ranks(dict(zip(scores, means.tolist(), strict=True)), p, critical, signed)


def profile(scores: Floats, thresholds: Floats) -> Floats:
    """Return the share of scores above each threshold: a performance profile (Dolan and More 2002)."""
    ordered = np.sort(scores.ravel())
    above: Floats = 1 - np.searchsorted(ordered, thresholds, side="right") / len(ordered)
    return above
