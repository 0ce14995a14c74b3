"""The keys of kinds with labels: the labels, and the weights of their losses."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from manyheads.tasks.kind import KeyFault
from manyheads.tasks.labels import Label

LABELS = list[str | int | float | bool]


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


def weights_field(noun: str) -> Any:
    """Return the field `class_weights` of a kind. `noun`: what is weighted."""
    return Field(
        default=None,
        description=f"Factor on the loss of each {noun}, in the order of `labels`. Requires `labels` and one weight of "
        f"at least 0 per label. Default: 1 for every {noun}.",
        json_schema_extra={"items": {"type": "number", "minimum": 0}},
    )


def class_weight_faults(weights: list[float] | None, labels: list[Label] | None) -> Iterator[KeyFault]:
    """Yield the faults of `class_weights`."""
    if weights is None:
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
