"""Scores of a model on labelled splits: every metric of every task, and their average."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.evaluation.average import average, course_score
from manyheads.evaluation.interval import measured
from manyheads.evaluation.metrics import METRICS
from manyheads.model.forward import forward_split
from manyheads.model.multitask import MultitaskModel
from manyheads.tasks.kind import Predictions
from manyheads.tasks.task import Task


@dataclass(frozen=True)
class Scores:
    """What an evaluation gives: decoded predictions by task, and `summary` as it stands in results.json.

    `summary`: `tasks` (every metric of every task, None where it cannot be computed), `intervals` (the same with the
    95% bounds of the examples' chance in place of the figure, None where they cannot be had), `average` over the tasks'
    primary metrics and `course_score`, both None where one of them is.
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
    forward: Callable[..., NDArray[np.float32]] = forward_split,
) -> Scores:
    """Evaluate every task that has a split here. `forward` gives the outputs of a split, as `forward_split` does."""
    predictions, metrics, bounds = {}, {}, {}
    for name, split in splits.items():
        outputs = forward(model, store, template, split, max_length=max_length, device=device)
        predictions[name] = split.task.kind.decode(outputs)
        metrics[name] = measure(split.task, predictions[name], split.targets.astype(np.float64))
        bounds[name] = intervals(split.task, predictions[name], split.targets.astype(np.float64))
    summary = summarise({name: split.task for name, split in splits.items()}, metrics)
    return Scores(predictions, {"tasks": summary.pop("tasks"), "intervals": bounds, **summary})


def measure(task: Task, predictions: Predictions, targets: NDArray[np.float64]) -> dict[str, float | None]:
    """Every metric of the task's kind; examples without a target (NaN) are left out."""
    known = ~np.isnan(targets)
    chances = predictions.probabilities
    kept = Predictions(predictions.values[known], None if chances is None else chances[known])
    return {metric: METRICS[metric](kept, targets[known]) for metric in task.kind.metrics}


def intervals(task: Task, predictions: Predictions, targets: NDArray[np.float64]) -> dict[str, list[float] | None]:
    """The 95% interval of every metric of the task's kind, of the chance of the examples alone: both bounds."""
    known = ~np.isnan(targets)
    found: dict[str, list[float] | None] = {}
    for metric in task.kind.metrics:
        figure = measured(metric, predictions.values[known].astype(np.float64), targets[known])
        found[metric] = None if figure.low is None or figure.high is None else [figure.low, figure.high]
    return found


def summarise(tasks: Mapping[str, Task], metrics: Mapping[str, Mapping[str, float | None]]) -> dict[str, Any]:
    """The metrics of all tasks with their averages."""
    primary = {name: (task.metric, metrics[name][task.metric]) for name, task in tasks.items()}
    return {
        "tasks": {name: dict(found) for name, found in metrics.items()},
        "average": average(primary),
        "course_score": course_score(primary),
    }
