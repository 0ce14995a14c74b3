"""The resolver: from the name of a metric, or its table in a recipe, to the metric of a task."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pydantic import ValidationError

from manyheads.errors import RecipeError, did_you_mean
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.metric import MEANING, Floats, Metric, targets_of
from manyheads.ragged import Rows
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.metric_choice import MetricChoice
from manyheads.tasks.task import Task


@dataclass(frozen=True)
class Chosen:
    """A metric of a task: its record on the menu, its name in results, and the arguments of its functions."""

    metric: Metric
    name: str
    arguments: Mapping[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        """Whether it is the same metric with equal arguments, which may be arrays."""
        if not isinstance(other, Chosen):
            return NotImplemented
        same = (self.metric, self.name, self.arguments.keys()) == (other.metric, other.name, other.arguments.keys())
        return same and all(np.array_equal(value, other.arguments[key]) for key, value in self.arguments.items())

    def __hash__(self) -> int:
        return hash((self.metric, self.name))

    def value(self, predictions: Predictions, targets: Rows) -> float | None:
        """Return the metric of n examples, None if it is undefined. `targets`: float64[n, ...], or ragged."""
        return self.metric.function(predictions, targets, **self.arguments)

    def influence(self, predictions: Predictions, targets: Rows) -> Floats:
        """Return the influence of each example, up to a constant: float64[n]. The metric must be defined."""
        return self.metric.influence(predictions, targets, **self.arguments)

    def earlier(self, predictions: Predictions, targets: Rows) -> float | None:
        """Return the metric as versions up to 0.4.0 defined it. None if that was the same definition."""
        return None if self.metric.earlier is None else self.metric.earlier(predictions, targets)

    def rarest(self, targets: Rows, units: int) -> int:
        """Return the number of examples that decide the metric at the end of its range, at most `units`."""
        return units if self.metric.rarest is None else min(self.metric.rarest(targets, **self.arguments), units)

    @property
    def needs_probabilities(self) -> bool:
        """Whether the metric reads the probabilities of classes."""
        return self.metric.needs == "probabilities"


def resolve(choice: str | MetricChoice | Chosen, kind: Kind | None = None) -> Chosen:
    """Return a metric of the menu for a kind of task. Without a kind, the metric must have no options.

    Raises:
        RecipeError: The metric is not on the menu, its options are not valid, or it does not fit the kind.
    """
    if isinstance(choice, Chosen):
        return choice
    choice = MetricChoice.of(choice) if isinstance(choice, str) else choice
    if choice.kind not in METRICS:
        hint = did_you_mean(choice.kind, METRICS)
        raise RecipeError("unknown metric", found=choice.kind, allowed=", ".join(METRICS), hint=hint)
    metric = METRICS[choice.kind]
    if kind is None:
        return Chosen(metric, choice.name)
    try:
        options = metric.options.model_validate(choice.table)
    except ValidationError as error:
        raise RecipeError(f"the options of {choice.kind} are not valid", found=error.errors()[0]["msg"]) from error
    reason = misfit(metric, kind) or misfit_of_options(metric, options, kind)
    if reason is not None:
        raise RecipeError("the metric does not fit the labels of the task", found=f"{choice.name}: {reason}")
    return Chosen(metric, choice.name, metric.bind(options, kind))


def misfit(metric: Metric, kind: Kind) -> str | None:
    """Return why a metric does not fit a kind of task. None if it fits."""
    if targets_of(kind) & set(metric.targets):
        return None
    return f"it needs {' or '.join(MEANING[target] for target in metric.targets)}"


def misfit_of_options(metric: Metric, options: Any, kind: Kind) -> str | None:
    """Return why the options of a metric do not fit a kind of task. None if they fit."""
    try:
        metric.bind(options, kind)
    except ValueError as error:
        return str(error)
    return None


def metrics_of(task: Task) -> tuple[Chosen, ...]:
    """Return all metrics of a task: those of its kind, and those that the recipe names in addition."""
    choices = {name: MetricChoice(name) for name in task.kind.metrics}
    choices |= {choice.name: choice for choice in task.metrics}
    choices.setdefault(task.metric, MetricChoice(task.metric))
    return tuple(resolve(choice, task.kind) for choice in choices.values())


def primary_of(task: Task) -> Chosen:
    """Return the primary metric of a task."""
    return next(each for each in metrics_of(task) if each.name == task.metric)


def fitting(kind: Kind, *, primary: bool = False) -> list[str]:
    """Return the metrics that fit a kind of task and need no options. `primary`: only those that may be primary."""
    return [
        name
        for name, metric in METRICS.items()
        if misfit(metric, kind) is None
        and misfit_of_options(metric, metric.options(kind=name), kind) is None
        and (metric.primary or not primary)
    ]


def record_of(name: str) -> Metric | None:
    """Return the record of a metric by its name in results, which may end with options. None if it is not known."""
    known = [each for each in METRICS if name == each or name.startswith(f"{each}_")]
    return METRICS[max(known, key=len)] if known else None


def title_of(name: str) -> str:
    """Return the title of a metric by its name in results."""
    record = record_of(name)
    if record is None:
        return name
    rest = name.removeprefix(record.name).removeprefix("_")
    return f"{record.title} ({rest})" if rest else record.title
