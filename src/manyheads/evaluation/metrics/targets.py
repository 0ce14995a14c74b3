"""The forms of targets that a metric may fit."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal

from manyheads.tasks.kind import Kind

Target = Literal["classes", "two classes", "ordered classes", "values"]

MEANING: dict[Target, str] = {
    "classes": "a classification",
    "two classes": "a classification with two labels",
    "ordered classes": "a classification whose labels are numbers in ascending order",
    "values": "a regression",
}


def targets_of(kind: Kind) -> frozenset[Target]:
    """Return the forms that the targets of a kind have. Labels are ordered if they are ascending numbers."""
    if kind.labels is None:
        return frozenset({"values"})
    found: set[Target] = {"classes"}
    if len(kind.labels) == 2:
        found.add("two classes")
    if _ascending(kind.labels):
        found.add("ordered classes")
    return frozenset(found)


def _ascending(labels: tuple[str | int | float | bool, ...]) -> bool:
    numbers = [label for label in labels if isinstance(label, int | float) and not isinstance(label, bool)]
    return len(numbers) == len(labels) and all(low < high for low, high in pairwise(numbers))
