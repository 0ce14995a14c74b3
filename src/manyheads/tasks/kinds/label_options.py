"""The keys of kinds with labels: the labels, and the weights of their losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
from pydantic import Field

from manyheads.tasks.kind import Floats, KeyFault
from manyheads.tasks.labels import Label

LABELS = list[str | int | float | bool]

CLASS_WEIGHTS = list[float] | Literal["balanced"]

EQUAL_CLASSES = "n / (k * number of rows with the label), for n rows and k labels that occur"


def labels_field(description: str, *, least: int) -> Any:
    """Return the field `labels` of a kind that needs at least `least` of them."""
    return Field(
        default=None,
        description=description,
        json_schema_extra={
            "minItems": least,
            "uniqueItems": True,
            "items": {"type": ["string", "number", "boolean"], "pattern": r"\S"},
        },
    )


def weights_field(noun: str, balanced: str) -> Any:
    """Return the field `class_weights` of a kind. `noun`: what is weighted. `balanced`: what balanced weights are."""
    return Field(
        default=None,
        description=f"Factor on the loss of each {noun}, in the order of `labels`. Requires `labels` and one weight of "
        f'at least 0 per label. Or "balanced": {balanced}. It is computed from the rows that training uses, and '
        f"provenance.json has the numbers. Default: 1 for every {noun}.",
        json_schema_extra={"items": {"type": "number", "minimum": 0}},
    )


def balanced(counts: Floats) -> Floats:
    """Return weights that give every class the same total weight: n / (k * count), float64[classes].

    `counts`: float64[classes], the rows of each class, or the sum of their weights. n: the sum of the counts. k: the
    number of classes that occur. The mean weight of the rows is 1. A class without rows has the weight 1, which no row
    uses. Source: the class weights of scikit-learn, `class_weight = "balanced"` (King and Zeng 2001).
    """
    occurs = counts > 0
    shares = counts.sum() / (max(1, np.count_nonzero(occurs)) * np.where(occurs, counts, 1.0))
    weights: Floats = np.where(occurs, shares, 1.0)
    return weights


def class_weight_faults(weights: CLASS_WEIGHTS | None, labels: list[Label] | None) -> Iterator[KeyFault]:
    """Yield the faults of `class_weights`."""
    if weights is None or isinstance(weights, str):
        return
    key = "class_weights"
    if labels is None:
        what = "class_weights requires labels, to assign the weights to"
        yield KeyFault(key, what, weights, hint="add labels = [...]")
    elif len(weights) != len(labels):
        yield KeyFault(
            key, "the number of class weights differs from the number of labels", len(weights), str(len(labels))
        )
    if any(weight < 0 for weight in weights):
        yield KeyFault(key, "a class weight is below 0", weights, "0 or more")
