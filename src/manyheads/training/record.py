"""Files in the run folder: predictions and results.csv after an evaluation, results.json at the end."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.data.clusters import clusters_of
from manyheads.data.dataset import Split
from manyheads.evaluation.metrics.resolve import metrics_of, primary_of
from manyheads.ragged import Rows, Stack, flat, offsets, same, stack, with_offsets
from manyheads.run.atomic import write_json, write_text
from manyheads.run.checksum import OWN_SUM, checksum, own_checksum
from manyheads.run.evaluations import Evaluations, read_evaluations, with_evaluation, write_evaluations
from manyheads.run.folder import RunFolder
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kind import known as labelled
from manyheads.tasks.records import json_lines, records
from manyheads.tasks.task import Task
from manyheads.training.checkpoint import Progress

AGREEMENT = 1e-4
"""Tolerance between a metric of the predictions of an evaluation, which are float32, and the recorded one."""


def write_predictions(
    folder: RunFolder, splits: Mapping[str, Split], predictions: Mapping[str, Predictions], *, split: str, which: str
) -> dict[str, str]:
    """Write `predictions/<task>.<split>.<which>.jsonl` for every task of an evaluation. Return the checksum of each."""
    sums = {}
    for name, predicted in predictions.items():
        examples = splits[name]
        targets = examples.targets if labelled(examples.targets).any() else None
        lines = json_lines(records(examples.task.kind, examples.ids, predicted, targets, examples.unknown))
        file = folder.prediction_file(name, split, which)
        write_text(file, "".join(lines))
        sums[file.name] = checksum(file)
    return sums


def write_every_evaluation(
    folder: RunFolder,
    splits: Mapping[str, Split],
    predictions: Mapping[str, Predictions],
    progress: Progress,
    *,
    split: str,
) -> dict[str, str]:
    """Add the latest evaluation to `predictions/<task>.<split>.all.npz` of every task. Return the checksum of each.

    `progress.evaluations` includes the latest one. Later evaluations in the files, which a resumed run repeats, are
    dropped.
    """
    epochs, steps = _times(progress)
    sums = {}
    for name, none in _without_evaluations(splits).items():
        file = folder.evaluations_file(name, split)
        values = stack([predictions[name].values]).astype(np.float32)
        shares = _probabilities(splits[name].task, predictions[name])
        latest = replace(
            none, epochs=np.array(epochs[-1:]), steps=np.array(steps[-1:]), values=values, probabilities=shares
        )
        write_evaluations(file, with_evaluation(_earlier(file) if steps[:-1] else None, latest, epochs, steps))
        sums[file.name] = checksum(file)
    return sums


def _probabilities(task: Task, predictions: Predictions) -> Stack | None:
    """Return the probabilities of one evaluation if a metric of the task needs them: float32[1, n, classes]."""
    needed = any(metric.needs_probabilities for metric in metrics_of(task))
    known = predictions.probabilities
    return stack([known]).astype(np.float32) if needed and known is not None else None


def repair_every_evaluation(
    folder: RunFolder, splits: Mapping[str, Split], progress: Progress, *, split: str
) -> Iterator[str]:
    """Write `predictions/<task>.<split>.all.npz` of a resumed run as it was at the checkpoint.

    Yields a note for each file that cannot be restored.

    A file may have evaluations after the checkpoint. They are dropped. The file must have the examples of the task and
    the evaluations of the checkpoint, with their metrics. Otherwise it is damaged, or that of another task, and its
    values become NaN: the weights that made them are gone.
    """
    epochs, steps = _times(progress)
    for name, none in _without_evaluations(splits).items() if steps else ():
        file = folder.evaluations_file(name, split)
        found = _earlier(file)
        if found is None or not _belongs(found, none, splits[name].task, progress, dev=split == "dev"):
            found = none
            yield (
                f"{file.relative_to(folder.path)} was changed or is missing. The run writes it again without the "
                "predictions of earlier evaluations. A study with this run cannot use cross-fitting"
            )
        write_evaluations(file, replace(found.at(epochs, steps), targets=none.targets, clusters=none.clusters))


def _belongs(found: Evaluations, none: Evaluations, task: Task, progress: Progress, *, dev: bool) -> bool:
    """Return whether a file has the examples of a task and, on dev examples, the metrics of every evaluation."""
    if found.ids != none.ids or not same(found.targets, none.targets, equal_nan=True):
        return False
    known = labelled(none.targets)
    for entry in progress.evaluations:
        place = np.flatnonzero(found.steps == entry["step"])
        if not len(place):
            return False
        values = found.values[place[0]][known].astype(np.float64)
        # An evaluation that an earlier repair lost stays lost.
        if dev and not np.isnan(flat(values)).all():
            metric, shares = primary_of(task), None
            if metric.needs_probabilities:
                if found.probabilities is None:
                    return False
                shares = found.probabilities[place[0]][known].astype(np.float64)
            score = metric.value(Predictions(values, shares), none.targets[known].astype(np.float64))
            recorded = entry["tasks"][task.name][task.metric]
            if (score is None) != (recorded is None) or abs((score or 0) - (recorded or 0)) > AGREEMENT:
                return False
    return True


def _times(progress: Progress) -> tuple[list[float], list[int]]:
    """Return the epoch and the step of each evaluation."""
    entries = progress.evaluations
    return [float(entry["epoch"]) for entry in entries], [int(entry["step"]) for entry in entries]


def _without_evaluations(splits: Mapping[str, Split]) -> dict[str, Evaluations]:
    """Return the examples of every task, without an evaluation."""
    clusters = clusters_of(splits)
    return {
        name: Evaluations(
            ids=tuple(examples.ids),
            targets=examples.targets.astype(np.float32),
            clusters=clusters[name],
            epochs=np.zeros(0),
            steps=np.zeros(0, dtype=np.int64),
            values=_no_evaluations(examples.targets),
        )
        for name, examples in splits.items()
    }


def _no_evaluations(targets: Rows) -> Stack:
    """Return the predictions of no evaluation, in the form of the targets."""
    numbers = np.zeros((0, *flat(targets).shape), dtype=np.float32)
    return with_offsets(numbers, offsets(targets), stacked=True)


def _earlier(file: Path) -> Evaluations | None:
    """Return what the file of a run has, None if it cannot be read."""
    try:
        return read_evaluations(file)
    except (OSError, ValueError):
        return None


def write_results_csv(folder: RunFolder, tasks: Mapping[str, Task], progress: Progress) -> None:
    """Write results.csv: one row per evaluation with each task's primary metric and the average. Empty if undefined."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["epoch", "step", *(f"{name}.{task.metric}" for name, task in tasks.items()), "average"])
    for entry in progress.evaluations:
        scores = [entry["tasks"][name][task.metric] for name, task in tasks.items()]
        writer.writerow([entry["epoch"], entry["step"], *map(_cell, [*scores, entry["average"]])])
    write_text(folder.results_csv, text.getvalue())


def write_results(folder: RunFolder, progress: Progress, *, untested: str | None = None) -> dict[str, Any]:
    """Write results.json, the last file of a run, and return its content.

    `best` is null if no evaluation has an average. Rates count training time only. `untested`: the encoder's
    architecture, if it was never tried.
    """
    best = None if progress.best is None else progress.evaluations[progress.best]
    results = {
        "best": best,
        "last": progress.evaluations[-1] if progress.evaluations else None,
        "steps": progress.step,
        "stopped_early": progress.stopped_early,
        "stop_reason": progress.stop_reason,
        "untested": untested,
        "examples": progress.examples,
        "tokens": progress.tokens,
        "seconds": round(progress.seconds, 3),
        "examples_per_second": _rate(progress.examples, progress.seconds),
        "tokens_per_second": _rate(progress.tokens, progress.seconds),
        "checksums": {file.name: checksum(file) for file in folder.verified},
    }
    results[OWN_SUM] = own_checksum(results)
    write_json(folder.results, results)
    return results


def _cell(score: float | None) -> str:
    return "" if score is None else repr(score)


def _rate(count: int, seconds: float) -> float | None:
    return round(count / seconds, 3) if seconds > 0 else None
