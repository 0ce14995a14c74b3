"""Collapsed seeds of a study's rows: which they are, their shares, and what the means would be with them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from manyheads.evaluation.estimate import wilson
from manyheads.evaluation.interval import ERROR
from manyheads.evaluation.sample import Floats, Sample
from manyheads.evaluation.significance import collapsed, holm, shares_differ
from manyheads.studies.samples import TaskSamples, of_metric
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import Collapses, Interval, rounded, rounded_p

Seeds = tuple[int, ...]
Points = Mapping[str, tuple[float, ...]]


def collapsed_seeds(
    plan: StudyPlan, samples: Mapping[str, TaskSamples], metrics: Mapping[str, str]
) -> dict[str, Seeds]:
    """Return the collapsed seeds of each row, by the metric of the study, over the tasks that the baseline has as well.

    The deviations of a row are taken together with those of the baseline, and the deviations of the baseline with those
    of all rows that have its tasks. A twin is compared with the baseline in its one task.
    """
    base = samples[plan.baseline]
    rows = [row.name for row in plan.rows if row.twin_of is None and row.same_as is None and row.name != plan.baseline]
    found: dict[str, Seeds] = {}
    for row, own in samples.items():
        shared = [task for task in own if task in base]
        values = _values(plan, {task: own[task] for task in shared or own}, metrics)
        if row == plan.baseline:
            others = [samples[name] for name in rows if samples[name].keys() == own.keys()]
        else:
            others = [{task: base[task] for task in shared}]
        references = [known[1] for known in (_values(plan, each, metrics) for each in others) if known is not None]
        found[row] = ()
        if values is not None:
            seeds, of_seeds = values
            flags = collapsed(of_seeds, references)
            found[row] = tuple(seed for seed, flag in zip(seeds, flags, strict=True) if flag)
    return found


def sound(samples: TaskSamples, seeds: Seeds) -> TaskSamples:
    """Return the samples of a row without these seeds."""
    kept: dict[str, Sample | None] = {}
    for task, part in samples.items():
        kept[task] = part and part.take([seed for seed in part.seeds or () if seed not in seeds])
    return kept


def points_of(samples: TaskSamples, metrics: Mapping[str, str], *, course_score: bool) -> dict[str, tuple[float, ...]]:
    """Return the value of every finished seed of a row: of "average", "course_score" if wanted, and each task."""
    found = {}
    for metric in ("average", *(("course_score",) if course_score else ()), *samples):
        parts = of_metric(samples, metric, metrics)
        if parts is not None:
            found[metric] = tuple(rounded(value) for value in np.mean([part.values for part in parts], axis=0))
    return found


def collapses_of(
    plan: StudyPlan, seeds: Mapping[str, Seeds], flagged: Mapping[str, Seeds], points: Mapping[str, Points]
) -> dict[str, Collapses | None]:
    """Return the collapses of each row. None for rows without a finished run.

    `seeds`: the finished seeds of each row. Rows are compared with the baseline by Fisher's exact test, corrected over
    the rows (Holm 1979), if any seed is collapsed.
    """
    counts = {row: (len(flagged[row]), len(own)) for row, own in seeds.items() if own}
    own_runs = [row.name for row in plan.rows if row.same_as is None and row.twin_of is None and row.name in counts]
    tested: dict[str, float | None] = {}
    if any(flagged.values()) and plan.baseline in counts:
        tested = {row: shares_differ(counts[row], counts[plan.baseline]) for row in own_runs if row != plan.baseline}
    corrected = dict(zip(tested, holm(list(tested.values())), strict=True))
    found: dict[str, Collapses | None] = dict.fromkeys(seeds)
    for row, (count, total) in counts.items():
        low, high = wilson(count / total, total, ERROR)
        found[row] = Collapses(
            seeds=flagged[row],
            share=Interval(rounded(count / total), rounded(low), rounded(high)),
            p=rounded_p(tested.get(row)),
            p_holm=rounded_p(corrected.get(row)),
            plain={metric: rounded(float(np.mean(values))) for metric, values in points[row].items()},
        )
    return found


def _values(plan: StudyPlan, samples: TaskSamples, metrics: Mapping[str, str]) -> tuple[Sequence[int], Floats] | None:
    """Return the seeds and their values of the study's metric, or of the average of what there is."""
    metric = plan.metric if plan.metric in samples or plan.metric == "course_score" else "average"
    parts = of_metric(samples, metric, metrics)
    if parts is None:
        return None
    return parts[0].seeds or (), np.mean([part.values for part in parts], axis=0)
