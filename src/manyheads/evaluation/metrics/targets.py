"""The forms of targets that a metric may fit."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from manyheads.tasks.kind import Kind
from manyheads.tasks.labels import Label

Target = Literal["classes", "two classes", "ordered classes", "values", "labels", "tags", "spans"]

MEANING: dict[Target, str] = {
    "classes": "one label per example",
    "two classes": "one of two labels per example",
    "ordered classes": "labels in an order: an ordinal task, or labels that are numbers in ascending order",
    "values": "a regression",
    "labels": "any number of labels per example",
    "tags": "a tag per word",
    "spans": "tags that mark spans of words",
}


def targets_of(kind: Kind) -> frozenset[Target]:
    """Return the forms that the targets of a kind have. Labels are also ordered if they are ascending numbers."""
    if kind.target in ("value", "labels"):
        return frozenset({"values"} if kind.target == "value" else {"labels"})
    if kind.target == "tags":
        return frozenset({"tags"} if kind.span_table is None else {"tags", "spans"})
    found: set[Target] = {"classes"}
    labels: list[Label] = kind.space().get("labels", [])
    if len(labels) == 2:
        found.add("two classes")
    if kind.target == "order" or _ascending(labels):
        found.add("ordered classes")
    return frozenset(found)


def _ascending(labels: list[Label]) -> bool:
    numbers = [label for label in labels if isinstance(label, int | float) and not isinstance(label, bool)]
    return len(numbers) == len(labels) and all(low < high for low, high in pairwise(numbers))
