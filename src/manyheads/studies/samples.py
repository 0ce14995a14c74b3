"""Samples of the runs of a row, from which all estimates are computed, and the clusters of the dev examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyheads.errors import RunError
from manyheads.evaluation.average import rescaled_by_course
from manyheads.evaluation.metrics.resolve import resolve
from manyheads.evaluation.sample import FEW, Sample, sample
from manyheads.pages.words import counted
from manyheads.ragged import Stack
from manyheads.run.evaluations import Known
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder
from manyheads.studies.collect import Collected, RowRuns
from manyheads.studies.finished import WHICH, DevExamples
from manyheads.studies.schema import StudyPlan
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


Labels = Mapping[str, NDArray[np.int64]]


def with_clusters(
    plan: StudyPlan, out: Path, dev: Mapping[str, DevExamples], split: str = "dev"
) -> dict[str, DevExamples]:
    """Return the examples of a split with their clusters, from the first finished run of each row.

    Examples that share a text or a group in any row are in one cluster. A task keeps its examples on their own if a row
    has no clusters for it.

    Raises:
        RunError: a file of a run was changed.
    """
    found = [labels for labels in _found(plan, out, dev, split) if labels]
    tasks = [task for task in dev if any(task in labels for labels in found)]
    if not tasks:
        return dict(dev)
    first: dict[str, int] = {}
    size = 0
    for task in tasks:
        first[task], size = size, size + len(dev[task].ids)
    examples, groups, names = [], [], size
    for labels in found:
        highest = max(int(each.max(initial=0)) for each in labels.values())
        for task, each in labels.items():
            examples.append(first[task] + np.arange(len(each)))
            groups.append(names + each)
        names += highest + 1
    ends = (np.concatenate(examples), np.concatenate(groups))
    links = coo_array((np.ones(len(ends[0]), dtype=np.int8), ends), shape=(names, names))
    _, component = connected_components(links, directed=False)
    kept = {}
    for task, examples_of in dev.items():
        clusters = None
        if task in first:
            clusters = component[first[task] : first[task] + len(examples_of.ids)].astype(np.int64)
            clusters = clusters if len(np.unique(clusters)) > 1 else None
        kept[task] = replace(examples_of, clusters=clusters)
    return kept


def cluster_notes(dev: Mapping[str, DevExamples]) -> Iterator[str]:
    """Yield what the intervals assume about the examples of a split that belong together."""
    split = next((examples.split for examples in dev.values()), "dev")
    unknown = [task for task, examples in dev.items() if examples.clusters is None]
    if unknown:
        yield (
            f"The {split} examples of {', '.join(unknown)} are taken as independent, because the runs do not say which "
            "of them share texts or groups, or all of them do. If some belong together, the intervals are too narrow."
        )
    for task, examples in dev.items():
        count = 0 if examples.clusters is None else len(np.unique(examples.clusters))
        if 0 < count < len(examples.ids):
            few = f" The t quantile of the sampling variance has {count - 1} degrees of freedom." if count < FEW else ""
            yield (
                f"{len(examples.ids):,} {split} examples of {task} are in {counted(count, 'cluster')} with texts or "
                f"groups in common, which the intervals take as units.{few}"
            )


def _found(plan: StudyPlan, out: Path, dev: Mapping[str, DevExamples], split: str) -> Iterator[Labels]:
    known: Known = {}
    for row in plan.rows:
        if row.twin_of is not None or row.same_as is not None:
            continue
        folders = (RunFolder(cell_folder(out, row.name, seed)) for seed in plan.seeds)
        folder = next((each for each in folders if each.finished), None)
        if folder is None:
            continue
        results = folder.read_results(complete=True)
        labels = {}
        for task in row.recipe.tasks:
            evaluations = folder.read_evaluations(results, task, split, known, removed=True)
            clusters = None if evaluations is None else evaluations.clusters_of(dev[task].ids)
            if clusters is not None:
                labels[task] = clusters
        yield labels
