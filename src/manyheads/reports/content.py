"""The content of a report as plain values, from which every format is written. It is built from a run folder.

The event log of the run has the training losses, times, truncated texts, rejected rows and warnings.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.errors import RunError
from manyheads.evaluation.estimate import contrast
from manyheads.evaluation.interval import Measured, average, right_rows, whole_rows
from manyheads.evaluation.metrics.resolve import Chosen, metrics_of, primary_of
from manyheads.evaluation.sample import sample
from manyheads.ragged import stack
from manyheads.recipe.begin import recipe_of_run
from manyheads.recipe.schema import Recipe
from manyheads.recipe.tasks import finished_task, same_files
from manyheads.reports.conflicts import Conflicts, find_conflicts
from manyheads.reports.keys import plain, stored_as
from manyheads.reports.predictions import (
    HINT,
    TaskPredictions,
    check_agreement,
    find_texts,
    read_predictions,
    same_value,
    stacked,
)
from manyheads.reports.views import (
    Calibration,
    Confusion,
    Fit,
    Group,
    Mistake,
    by_label,
    by_length,
    calibrate,
    confusion,
    fit,
    mistakes,
)
from manyheads.run.events import read_events
from manyheads.run.folder import RunFolder
from manyheads.tasks.task import Task


@dataclass(frozen=True)
class TaskReport:
    """The report of one task.

    `predictions`: the dev predictions of the shipped model. `measures`: all dev metrics, the primary one first. `last`:
    the primary metric at the last epoch. `test`: like `measures`, if the test file has labels. `majority_accuracy`: the
    accuracy of always predicting the most frequent dev label. `curve`: (epoch, metric) of every evaluation. `losses`:
    (epoch, mean training loss). `texts_missing`: why texts, lengths and label conflicts are missing.
    `decoding`: how the decoding of outputs was tuned, if it was.
    """

    name: str
    kind: str
    metric: str
    value_range: tuple[float, float] | None
    predictions: TaskPredictions = field(metadata=stored_as("answers"))
    measures: tuple[Measured, ...]
    last: Measured
    test: tuple[Measured, ...]
    majority_accuracy: float | None = field(metadata=stored_as("commonest"))
    curve: tuple[tuple[float, float | None], ...]
    losses: tuple[tuple[float, float], ...]
    confusion: Confusion | None
    calibration: Calibration | None
    fit: Fit | None
    by_label: tuple[Group, ...]
    by_length: tuple[Group, ...]
    mistakes: tuple[Mistake, ...]
    conflicts: Conflicts | None = field(metadata=stored_as("clashes"))
    texts_missing: str | None
    decoding: str | None = None


@dataclass(frozen=True)
class Report:
    """The report of one finished run.

    `which`: "best" or "last", the epoch whose model is shipped and whose predictions are reported. `epoch`: its number.
    `whole_rows`, `whole_test_rows`: the share of dev and of test rows on which all tasks with the same rows are right.
    `results`, `provenance`: the content of results.json and provenance.json. `recipe`: the text of recipe.toml.
    """

    name: str
    which: str
    epoch: float
    average: Measured
    last_average: float | None
    tasks: tuple[TaskReport, ...]
    log: _Log
    results: Mapping[str, Any]
    provenance: Mapping[str, Any]
    recipe: str
    whole_rows: tuple[Measured, ...] = ()
    whole_test_rows: tuple[Measured, ...] = ()


def to_json(report: Report) -> str:
    """Return the content of report.json. The predictions themselves are only in the folder `predictions` of the run."""
    content = plain(report)
    for task, entry in zip(report.tasks, content["tasks"], strict=True):
        entry["answers"] = {
            "examples": len(task.predictions),
            "labels": plain(task.predictions.kind.space().get("labels")),
        }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def build_report(run: Path) -> Report:
    """Read the content of a report from the folder of a finished run, and its texts from the data files of the recipe.

    Raises:
        RunError: the folder is not a finished run, or one of its files is missing or damaged.
    """
    folder = RunFolder(run)
    results = folder.read_results(complete=True)
    folder.require("provenance.json", "results.csv")
    recipe, log = recipe_of_run(folder), _read_log(folder.events)
    if not folder.is_whole(folder.events, results):
        log.warnings.append(
            f"{folder.events.name} is missing or was changed after the run, so losses, times and messages may be wrong"
        )
    provenance = folder.read_provenance()
    last, best = results["last"], results["best"]
    if not isinstance(last, Mapping):
        raise RunError("the run has no evaluation, so there is nothing to report", where=str(run))
    which = "last" if best is None else "best"
    curves = _curves(folder, results, recipe)
    tests = {name: _test_predictions(folder, results, recipe, name, which) for name in recipe.tasks}
    tasks = [_task(folder, recipe, name, results, tests[name], curves.get(name, ()), log) for name in recipe.tasks]
    chosen = best if isinstance(best, Mapping) else last
    for entry in (chosen, last):
        _check_average(folder, recipe, entry)
    whole = _whole_rows(recipe, "dev", {task.name: task.predictions for task in tasks})
    _check_whole_rows(folder, chosen, whole)
    return Report(
        name=run.resolve().name,
        which=which,
        epoch=chosen["epoch"],
        average=_average(
            tasks, [primary_of(finished_task(recipe, task.name)) for task in tasks], chosen.get("average")
        ),
        last_average=last.get("average"),
        tasks=tuple(tasks),
        log=log,
        results=results,
        provenance=provenance,
        recipe=folder.recipe.read_text(encoding="utf-8"),
        whole_rows=whole,
        whole_test_rows=_whole_rows(recipe, "test", tests),
    )


def primary_first(task: Task) -> tuple[Chosen, ...]:
    """Return all metrics of a task, the primary one first."""
    return (primary_of(task), *(metric for metric in metrics_of(task) if metric.name != task.metric))


def _task(
    folder: RunFolder,
    recipe: Recipe,
    name: str,
    results: Mapping[str, Any],
    test: TaskPredictions | None,
    curve: tuple[tuple[float, float | None], ...],
    log: _Log,
) -> TaskReport:
    task = finished_task(recipe, name)
    which = "last" if results["best"] is None else "best"
    evaluations = folder.read_evaluations(results, name, "dev")
    files = [folder.prediction_file(name, "dev", each) for each in (which, "last")]
    predictions, last = (
        read_predictions(folder.require_whole(file, results), task.kind, evaluations) for file in files
    )
    check_agreement(folder, results[which], task, predictions, which)
    check_agreement(folder, results["last"], task, last, "last")
    texts = find_texts(recipe, name, predictions.ids, folder.fingerprints())
    columns = None if texts.dev is None else texts.dev.columns
    errors = [each for each in metrics_of(task) if each.metric.measures_errors]
    return TaskReport(
        name=name,
        kind=task.kind.name,
        metric=task.metric,
        value_range=task.kind.space().get("range"),
        predictions=predictions,
        measures=_measures(task, predictions),
        last=last.measured(primary_of(task)),
        test=() if test is None else _measures(task, test),
        majority_accuracy=_majority_accuracy(predictions),
        curve=curve,
        losses=tuple(log.losses.get(name, ())),
        confusion=confusion(predictions),
        calibration=_calibration(predictions),
        fit=fit(predictions.predictions, predictions.targets) if "scatter" in task.kind.views else None,
        by_label=by_label(predictions, errors),
        by_length=() if columns is None else by_length(predictions, columns, primary_of(task), errors),
        mistakes=mistakes(predictions, columns),
        conflicts=None if texts.dev is None or texts.train is None else find_conflicts(task, texts.dev, texts.train),
        texts_missing=texts.missing,
        decoding=_decoding(task, results[which]),
    )


def _decoding(task: Task, entry: Mapping[str, Any]) -> str | None:
    """Return how the decoding of a task was tuned at an evaluation. None if it was not."""
    tuned = entry.get("decoding")
    if not isinstance(tuned, Mapping) or task.name not in tuned:
        return None
    return task.kind.with_tuned(tuned[task.name]).tuning_note


def _check_average(folder: RunFolder, recipe: Recipe, entry: Mapping[str, Any]) -> None:
    """Check that the average of an evaluation is that of its tasks, which agree with the predictions."""
    primary = {}
    for name in recipe.tasks:
        metric = finished_task(recipe, name).metric
        primary[name] = (metric, folder.reported(entry, name, metric))
    computed = average(primary)
    if not same_value(computed, entry.get("average")):
        raise RunError(
            "the run's results cannot be read",
            where=str(folder.results),
            found=f"average {entry.get('average')}, and {computed} from its tasks",
            hint="restore the file, or train the run again in a new folder",
        )


def _measures(task: Task, predictions: TaskPredictions) -> tuple[Measured, ...]:
    return tuple(predictions.measured(metric) for metric in primary_first(task))


def _whole_rows(recipe: Recipe, split: str, predictions: Mapping[str, TaskPredictions | None]) -> tuple[Measured, ...]:
    """Return the share of rows on which all tasks with the same rows are right, for each group of such tasks."""
    right = {
        name: right_rows(each.kind, each.ids, each.decoded, each.targets, each.clusters)
        for name, each in predictions.items()
        if each is not None
    }
    groups = [{name: right.get(name) for name in names} for names in same_files(recipe.tasks, split)]
    return tuple(share for each in groups if (share := whole_rows(each)) is not None)


def _check_whole_rows(folder: RunFolder, entry: Mapping[str, Any], shares: Sequence[Measured]) -> None:
    """Check that the shares of an evaluation, which older runs do not have, are those of the predictions."""
    recorded = entry.get("whole_rows")
    if recorded is None:
        return
    computed = {each.name: each.value for each in shares}
    values = {name: share["accuracy"] for name, share in recorded.items()}
    if computed.keys() != values.keys() or not all(same_value(computed[name], values[name]) for name in values):
        raise RunError(
            "the predictions do not give the shares in results.json",
            where=str(folder.results),
            found=f"whole_rows: {computed} from the predictions, {values} in results.json",
            hint=HINT,
        )


def _test_predictions(
    folder: RunFolder, results: Mapping[str, Any], recipe: Recipe, name: str, which: str
) -> TaskPredictions | None:
    """Return the predictions for the labelled rows of a test file. None if there are none."""
    task = finished_task(recipe, name)
    file = folder.prediction_file(task.name, "test", which)
    recorded = file.name in results.get("checksums", {})
    exists = file.exists() or recorded
    predictions = read_predictions(folder.require_whole(file, results), task.kind) if exists else None
    return predictions if predictions is not None and len(predictions) else None


def _calibration(predictions: TaskPredictions) -> Calibration | None:
    if "reliability" not in predictions.kind.views:
        return None
    return calibrate(predictions.confidence, predictions.correct)


def _majority_accuracy(predictions: TaskPredictions) -> float | None:
    classes = predictions.kind.classes_of(predictions.targets)
    if classes is None or not len(predictions):
        return None
    return float(np.bincount(classes.astype(np.int64)).max()) / len(predictions)


def _average(tasks: list[TaskReport], metrics: Sequence[Chosen], value: float | None) -> Measured:
    """Return the average over tasks with its interval, which covers the sampling variance of the dev examples."""
    samples = [
        sample(
            metric,
            stack([task.predictions.predictions]),
            task.predictions.targets,
            probabilities=stacked([task.predictions]),
            clusters=task.predictions.clusters,
        )
        for metric, task in zip(metrics, tasks, strict=True)
    ]
    known = [each for each in samples if each is not None]
    count = sum(len(task.predictions) for task in tasks)
    if value is None or len(known) < len(samples):
        return Measured("average", value, None, None, count)
    estimate = contrast([known], [1.0])
    return Measured("average", value, estimate.low, estimate.high, count)


def _curves(
    folder: RunFolder, results: Mapping[str, Any], recipe: Recipe
) -> dict[str, tuple[tuple[float, float | None], ...]]:
    """Return the primary metric of every evaluation, by task, from results.csv."""
    metrics = {name: finished_task(recipe, name).metric for name in recipe.tasks}
    rows = folder.read_curve(results, metrics)
    return {
        name: tuple((float(row["epoch"] or 0), row[f"{name}.{metric}"]) for row in rows)
        for name, metric in metrics.items()
    }


REJECTED_SHOWN = 20


@dataclass(frozen=True)
class Rejected:
    """A row of a data file that the run skipped."""

    task: str
    file: str
    line: int
    reason: str


@dataclass
class _Log:
    """The summary of an event log. Times are in seconds.

    `losses[task]`: (epoch, mean training loss since the previous evaluation). `rejected`: the first rejected rows.
    `rejected_count`: the number of all rejected rows, by task. `truncated`: messages about truncated texts. `resumed`:
    how often the run was resumed.
    """

    losses: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    rejected: list[Rejected] = field(default_factory=list)
    rejected_count: dict[str, int] = field(default_factory=dict)
    truncated: list[str] = field(default_factory=list, metadata=stored_as("cut"))
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    evaluation_seconds: float = 0.0
    wall_seconds: float = 0.0
    resumed: int = 0


def _read_log(file: Path) -> _Log:
    """Summarise events.jsonl. A missing file gives an empty summary."""
    log = _Log()
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    first: float | None = None
    damaged = 0
    for event in read_events(file):
        time = event.get("time")
        if isinstance(time, int | float):
            first = float(time) if first is None else first
            log.wall_seconds = float(time) - first
        try:
            _take(log, sums, event)
        except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
            damaged += 1
    if damaged:
        log.warnings.append(f"{damaged:,} damaged lines of {file.name} are not counted")
    log.losses = dict(log.losses)
    return log


def _take(log: _Log, sums: dict[str, list[float]], event: Mapping[str, Any]) -> None:
    kind = event.get("event")
    if kind == "step":
        for task, loss in event["losses"].items():
            sums[task][0] += float(loss)
            sums[task][1] += 1
    elif kind == "evaluation":
        for task, (total, count) in sums.items():
            log.losses[task].append((float(event["epoch"]), total / count))
        sums.clear()
        log.evaluation_seconds += float(event.get("evaluation_seconds", 0.0))
    elif kind == "rejected_row":
        task = str(event["task"])
        log.rejected_count[task] = log.rejected_count.get(task, 0) + 1
        if len(log.rejected) < REJECTED_SHOWN:
            log.rejected.append(Rejected(task, str(event["file"]), int(event["line"]), str(event["reason"])))
    elif kind == "resume":
        log.resumed += 1
    elif kind in ("cut", "warning", "note"):
        {"cut": log.truncated, "warning": log.warnings, "note": log.notes}[kind].append(str(event["text"]))
