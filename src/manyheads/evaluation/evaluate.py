"""Evaluate a model on labelled splits: every metric of every task, and their average."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from manyheads.data.clusters import clusters_of
from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.evaluation.interval import RightRows, average, course_average, measured, right_rows, whole_rows
from manyheads.evaluation.metrics.probabilities import as_stored
from manyheads.evaluation.metrics.resolve import metrics_of
from manyheads.model.forward import forward_streams
from manyheads.model.multitask import MultitaskModel
from manyheads.ragged import Rows
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kind import known as labelled
from manyheads.tasks.task import Task


@dataclass(frozen=True)
class Scores:
    """The result of an evaluation: decoded predictions by task, and `summary` as results.json stores it.

    `summary` has these keys. `tasks`: every metric of every task, None if it cannot be computed. `intervals`: the
    bounds of the 95% interval of every metric over the sample of examples, None if they cannot be computed.
    `average`: the mean of the tasks' primary metrics, None if one of them is None. `course_score`: the course's
    average, None if it was not asked for or a primary metric is None. `whole_rows`, only if some tasks have rows in
    common: the share of rows on which all of them are right, see `whole_rows_of`.
    """

    predictions: Mapping[str, Predictions]
    summary: dict[str, Any]


def evaluate(
    model: MultitaskModel,
    store: TextStore,
    template: Template,
    splits: Mapping[str, Split],
    *,
    max_length: int,
    device: torch.device,
    course_score: bool = False,
    together: Sequence[Sequence[str]] = (),
    forward: Callable[..., list[Rows]] = forward_streams,
) -> Scores:
    """Evaluate every task that has a split here. Rows that several tasks read are encoded once.

    `course_score`: also compute the course's average. `together`: tasks that have the same rows, for each of which the
    share of rows on which all of them are right is computed. `forward`: computes the outputs of splits, with the
    signature of `forward_streams`.
    """
    predictions, metrics, bounds = {}, {}, {}
    clusters = clusters_of(splits)
    found = forward(model, store, template, [*splits.values()], max_length=max_length, device=device)
    for (name, split), outputs in zip(splits.items(), found, strict=True):
        predictions[name] = split.decode(outputs, together=True)
        metrics[name] = measure(split.task, predictions[name], split.targets.astype(np.float64))
        bounds[name] = intervals(split.task, predictions[name], split.targets.astype(np.float64), clusters[name])
    tasks = {name: split.task for name, split in splits.items()}
    summary = summarise(tasks, metrics, course_score=course_score)
    summary = {"tasks": summary.pop("tasks"), "intervals": bounds, **summary}
    groups = [[name for name in names if name in splits] for names in together]
    whole = whole_rows_of(
        {name: _right(splits[name], predictions[name], clusters[name]) for name in names} for names in groups
    )
    return Scores(predictions, {**summary, **({"whole_rows": whole} if whole else {})})


def whole_rows_of(together: Iterable[Mapping[str, RightRows | None]]) -> dict[str, Any]:
    """Return the share of rows on which all tasks are right, by their names joined by "+".

    Each has `accuracy`, `interval`, both bounds of its 95% interval, None if there is none, and `rows`, the number of
    rows with the labels of all tasks.
    """
    found = [share for each in together if (share := whole_rows(each)) is not None]
    return {
        each.name: {
            "accuracy": each.value,
            "interval": None if each.low is None or each.high is None else [each.low, each.high],
            "rows": each.count,
        }
        for each in found
    }


def _right(split: Split, predictions: Predictions, clusters: NDArray[np.int64]) -> RightRows | None:
    """Return which labelled rows of a split are predicted right."""
    known = labelled(split.targets)
    kept, targets = _kept(predictions, known), split.targets[known].astype(np.float64)
    ids = [name for name, one in zip(split.ids, known.tolist(), strict=True) if one]
    return right_rows(split.task.kind, ids, kept, targets, clusters[known])


def measure(task: Task, predictions: Predictions, targets: Rows) -> dict[str, float | None]:
    """Return every metric of the task. Examples without a target (NaN) do not count."""
    known = labelled(targets)
    kept = _kept(predictions, known)
    return {metric.name: metric.value(kept, targets[known]) for metric in metrics_of(task)}


def _kept(predictions: Predictions, known: NDArray[np.bool_]) -> Predictions:
    """Return the predictions for some examples, with the probabilities that files have."""
    probabilities = predictions.probabilities
    values = predictions.values[known].astype(np.float64)
    return as_stored(Predictions(values, None if probabilities is None else probabilities[known]))


def intervals(
    task: Task, predictions: Predictions, targets: Rows, clusters: NDArray[np.int64] | None = None
) -> dict[str, list[float] | None]:
    """Return both bounds of the 95% interval of every metric. The interval covers sampling variance only.

    `clusters`: int64[n], the cluster of each example; None if examples are independent.
    """
    known = labelled(targets)
    kept, units = _kept(predictions, known), None if clusters is None else clusters[known]
    bounds: dict[str, list[float] | None] = {}
    for metric in metrics_of(task):
        estimate = measured(metric, kept.values, targets[known], units, kept.probabilities)
        bounds[metric.name] = None if estimate.low is None or estimate.high is None else [estimate.low, estimate.high]
    return bounds


def summarise(
    tasks: Mapping[str, Task], metrics: Mapping[str, Mapping[str, float | None]], *, course_score: bool = False
) -> dict[str, Any]:
    """Return the metrics of all tasks with their averages. `course_score` is None unless it is asked for."""
    primary = {name: (task.metric, metrics[name][task.metric]) for name, task in tasks.items()}
    return {
        "tasks": {name: dict(values) for name, values in metrics.items()},
        "average": average(primary),
        "course_score": course_average(primary) if course_score else None,
    }
