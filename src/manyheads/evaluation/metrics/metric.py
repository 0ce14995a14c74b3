"""The record of a metric, the forms of targets that it may fit, and what metrics share."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.options import Options
from manyheads.tasks.kind import Kind
from manyheads.tasks.labels import Label

Floats = NDArray[np.float64]


class MetricOptions(Options):
    """The options of a metric. A metric without options of its own has only `kind`."""

    kind: str = Field(description="Name of the metric.")


Function = Callable[..., float | None]
"""Computes a metric from predictions, float64[n] targets and the arguments of the metric. None if it is undefined."""

Influence = Callable[..., Floats]
"""Computes the influence of each example on a metric, up to a constant: float64[n]. The metric must be defined.

A metric of n examples is approximately its true value plus the mean of the influences (Hampel 1974).
"""

Rarest = Callable[..., int]
"""Counts the examples that decide a metric at the end of its range, from float64[n] targets and the arguments."""


def _nothing(options: Any, kind: Kind) -> Mapping[str, Any]:
    del options, kind
    return {}


@dataclass(frozen=True)
class Metric:
    """A metric.

    `name`: on the menu, in recipes and results. `title`: in reports. `function`, `influence`: receive `arguments`, see
    `bind`. `targets`: the forms of targets that it fits; one of them suffices. `needs`: what of the predictions it
    reads. `range`: its lowest and highest value. A metric without a highest value has an interval on the logarithmic
    scale.

    Intervals also use: `correlation`, whether the metric has the scale of Fisher's z; `step`, the influence of one
    example that is predicted differently, 0 if unknown; `rarest`, by default all examples.

    `options`: the type of its options. `bind`: returns the arguments of the functions from the options and the kind of
    the task, and raises a ValueError with the reason if the options do not fit. `rescaled_by_course`: whether the
    course score maps the metric to 0..1 by (r + 1) / 2. `earlier`: the definition of versions up to 0.4.0, if it was
    another.
    """

    name: str
    title: str
    function: Function
    influence: Influence
    targets: tuple[Target, ...]
    needs: Literal["values", "probabilities"] = "values"
    range: tuple[float, float] = (0.0, 1.0)
    higher_is_better: bool = True
    correlation: bool = False
    step: float = 0.0
    rarest: Rarest | None = None
    options: type[MetricOptions] = MetricOptions
    bind: Callable[[Any, Kind], Mapping[str, Any]] = _nothing
    rescaled_by_course: bool = False
    earlier: Function | None = None

    @property
    def bounded(self) -> bool:
        """Whether the metric has a lowest and a highest value."""
        return all(map(math.isfinite, self.range))

    @property
    def measures_errors(self) -> bool:
        """Whether the metric measures the errors of values, in their unit."""
        return "values" in self.targets and not self.higher_is_better

    @property
    def reason_not_primary(self) -> str | None:
        """Why the metric cannot be the primary metric of a task, whose average over tasks has a meaning. Or None."""
        if not self.higher_is_better:
            return "lower is better"
        return None if self.bounded else "it has no fixed range"

    @property
    def primary(self) -> bool:
        """Whether the metric may be the primary metric of a task."""
        return self.reason_not_primary is None


Target = Literal[
    "classes",
    "two classes",
    "ordered classes",
    "values",
    "labels",
    "tags",
    "spans",
    "similarities",
    "ranks",
    "candidates",
]

MEANING: dict[Target, str] = {
    "classes": "one label per example",
    "two classes": "one of two labels per example",
    "ordered classes": "labels in an order: an ordinal task, or labels that are numbers in ascending order",
    "values": "a regression",
    "labels": "any number of labels per example",
    "tags": "a tag per word",
    "spans": "tags that mark spans of words",
    "similarities": "pairs of texts with scores",
    "ranks": "texts with the one that belongs to each",
    "candidates": "one or several right candidates per row",
}

OF_TARGETS: dict[str, frozenset[Target]] = {
    "value": frozenset({"values"}),
    "labels": frozenset({"labels"}),
    "similarity": frozenset({"similarities"}),
    "rank": frozenset({"ranks"}),
    "vectors": frozenset({"similarities", "ranks"}),
    "candidates": frozenset({"candidates"}),
}
"""The forms of targets that are not classes, by `Kind.target`."""


def targets_of(kind: Kind) -> frozenset[Target]:
    """Return the forms that the targets of a kind have. Labels are also ordered if they are ascending numbers."""
    if kind.target in OF_TARGETS:
        return OF_TARGETS[kind.target]
    if kind.target == "tags":
        return frozenset({"tags"} if kind.span_table is None else {"tags", "spans"})
    found: set[Target] = {"classes"}
    labels: list[Label] = kind.space().get("labels", [])
    if len(labels) == 2:
        found.add("two classes")
    if kind.target == "order" or _ascending(labels):
        found.add("ordered classes")
    return frozenset(found)


def bind_labels(options: Any, kind: Kind) -> Mapping[str, Any]:
    """Return the number of labels of a task, 0 for a task without, as the argument `labels` of a metric."""
    del options
    return {"labels": len(kind.space().get("labels", ()))}


def farthest_if_unknown(values: NDArray[np.float64], targets: NDArray[np.float64], labels: int) -> NDArray[np.float64]:
    """Return the places of true labels in their order, float64[n].

    A label that is not one of the labels has no place in their order. It counts as the one that is farthest from the
    prediction, so that the row never improves a metric. `labels`: their number, 0 for targets that are values.
    """
    if not labels:
        return targets
    last = labels - 1.0
    return np.where(targets > last, np.where(2 * values > last, 0.0, last), targets)


def _ascending(labels: list[Label]) -> bool:
    numbers = [label for label in labels if isinstance(label, int | float) and not isinstance(label, bool)]
    return len(numbers) == len(labels) and all(low < high for low, high in pairwise(numbers))


def jackknife(whole: float, without: Floats) -> Floats:
    """Return (n - 1)(whole - without the example), the jackknife influence of each example (Miller 1974).

    `without`: float64[n], the metric without each example. It is 0 where the metric is then undefined.
    """
    influences: Floats = (len(without) - 1) * (whole - without)
    return influences


def constant(values: Floats) -> bool:
    """Return whether a correlation is undefined: fewer than two values, or differences within rounding errors."""
    if len(values) < 2:
        return True
    return bool(np.ptp(values) <= 1e-12 * float(np.abs(values).max()))
