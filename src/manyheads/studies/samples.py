"""Samples of the runs of a row, from which all estimates are computed, and the collapsed seeds among them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.evaluation.estimate import wilson
from manyheads.evaluation.interval import ERROR, rescaled_by_course
from manyheads.evaluation.metrics.resolve import resolve
from manyheads.evaluation.sample import Floats, Sample, sample
from manyheads.evaluation.significance import collapsed, holm, shares_differ
from manyheads.ragged import Stack
from manyheads.studies.collect import Collected, RowRuns
from manyheads.studies.finished import WHICH, DevExamples
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import Collapses, Interval, rounded, rounded_p
from manyheads.tasks.kind import Predictions

AGREEMENT = 1e-4
"""Tolerance between a metric of the prediction files and results.json. Predictions of 0.4.0 have seven decimals."""

TaskSamples = Mapping[str, Sample | None]


def samples_of(collected: Collected, runs: RowRuns, which: str) -> TaskSamples:
    """Return a sample for every task of a row. None if no run is finished or a metric is undefined.

    `which`: "best", "last", or the selection of the study.

    Raises:
        RunError: the predictions of a run disagree with its results.json.
    """
    samples: dict[str, Sample | None] = {}
    for task, values in runs.values[which].items():
        samples[task] = None
        if values is not None:
            dev = collected.examples(which)[task]
            first = collected.halves[task] if which == "crossfit" else None
            found = sample(
                dev.measure,
                values,
                dev.targets,
                probabilities=runs.probabilities.get(which, {}).get(task),
                seeds=runs.seeds,
                clusters=dev.clusters,
                first=first,
            )
            samples[task] = None if found is None else replace(found, task=task)
            if which in WHICH:
                _check(task, runs, which, samples[task], _earlier(dev, values))
    return samples


def of_metric(samples: TaskSamples, metric: str, metrics: Mapping[str, str]) -> list[Sample] | None:
    """Return the samples whose mean is "average", "course_score" or the metric of a task. None if one is undefined.

    `metrics`: the metric of each task, in the order of the returned samples. In the course score a correlation r counts
    (r + 1) / 2.
    """
    if metric not in ("average", "course_score"):
        chosen = samples.get(metric)
        return None if chosen is None else [chosen]
    parts = []
    for task in metrics:
        if task not in samples:
            continue
        part = samples[task]
        if part is None:
            return None
        halved = metric == "course_score" and rescaled_by_course(metrics[task])
        parts.append(_halved(part) if halved else part)
    return parts or None


def _halved(part: Sample) -> Sample:
    return replace(
        part,
        values=(part.values + 1) / 2,
        influence=part.influence / 2,
        low=(part.low + 1) / 2,
        high=(part.high + 1) / 2,
        correlation=False,
    )


def _earlier(dev: DevExamples, values: Stack) -> NDArray[np.float64] | None:
    """Return the metric of each run as versions up to 0.4.0 defined it. None if they had the same definition."""
    metric = resolve(dev.measure)
    if metric.metric.earlier is None or not len(dev.targets):
        return None
    return np.array([metric.earlier(Predictions(each, None), dev.targets) for each in values], dtype=np.float64)


def _check(task: str, runs: RowRuns, which: str, computed: Sample | None, earlier: NDArray[np.float64] | None) -> None:
    reported = runs.reported[which][task]
    if computed is None:
        agrees = bool(np.isnan(reported).any())
    else:
        close = np.isclose(computed.values, reported, rtol=0, atol=AGREEMENT)
        if earlier is not None:
            close |= np.isclose(earlier, reported, rtol=0, atol=AGREEMENT)
        agrees = bool(close.all())
    if not agrees:
        raise RunError(
            f"the predictions of {task} do not give the metric in results.json",
            where=f"row with seeds {', '.join(map(str, runs.seeds))}, {which} epoch",
            found=f"{'undefined' if computed is None else computed.values} and {reported}",
            hint="remove the run folder whose files were changed, and repeat the study",
        )


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
