"""The forms of targets that a metric may fit."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from manyheads.tasks.kind import Kind
from manyheads.tasks.labels import Label

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
