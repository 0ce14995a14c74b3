"""From the runs of a row to the samples that its estimates are made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from manyheads.errors import RunError
from manyheads.evaluation.average import CORRELATIONS
from manyheads.evaluation.estimate import Sample
from manyheads.evaluation.influence import sample
from manyheads.study.collect import Collected, RowRuns

AGREEMENT = 1e-4
"""How far a metric of the prediction files may lie from results.json: predictions are kept to seven places."""

TaskSamples = Mapping[str, Sample | None]


def samples_of(collected: Collected, runs: RowRuns, which: str) -> TaskSamples:
    """A sample for every task of a row; None where it has no finished run, or a metric is undefined.

    Raises:
        RunError: a run's predictions and its results.json disagree.
    """
    found: dict[str, Sample | None] = {}
    for task, values in runs.values[which].items():
        found[task] = None
        if values is not None:
            dev = collected.dev[task]
            found[task] = sample(dev.metric, values, dev.targets)
            _check(task, runs, which, found[task])
    return found


def of_metric(samples: TaskSamples, metric: str, metrics: Mapping[str, str]) -> list[Sample] | None:
    """The samples whose mean is a row's "average", "course_score" or a task's metric; None where one is undefined.

    `metrics` names each task's metric, in the order in which samples come. In the course score a correlation r counts
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
        halved = metric == "course_score" and metrics[task] in CORRELATIONS
        parts.append(_halved(part) if halved else part)
    return parts or None


def _halved(part: Sample) -> Sample:
    return replace(part, values=(part.values + 1) / 2, influence=part.influence / 2)


def _check(task: str, runs: RowRuns, which: str, found: Sample | None) -> None:
    reported = runs.reported[which][task]
    agrees = (
        bool(np.isnan(reported).any()) if found is None else np.allclose(found.values, reported, rtol=0, atol=AGREEMENT)
    )
    if not agrees:
        raise RunError(
            f"the predictions of {task} do not give the metric that results.json says",
            where=f"row with seeds {', '.join(map(str, runs.seeds))}, {which} epoch",
            found=f"{'undefined' if found is None else found.values} and {reported}",
            hint="remove the folder whose files were changed, and run it again",
        )
