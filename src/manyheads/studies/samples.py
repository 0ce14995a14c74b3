"""Samples of the runs of a row, from which all estimates are computed, and the clusters of the dev examples."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError
from manyheads.evaluation.average import rescaled_by_course
from manyheads.evaluation.metrics.resolve import resolve
from manyheads.evaluation.sample import Sample, sample
from manyheads.ragged import Stack
from manyheads.studies.collect import Collected, RowRuns
from manyheads.studies.finished import WHICH, DevExamples
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
