"""Tasks as JSON, for the manifest of a bundle or an export."""

from __future__ import annotations

from typing import Any

from manyheads.tasks.classification import Classification
from manyheads.tasks.kind import Kind
from manyheads.tasks.regression import Regression
from manyheads.tasks.task import Task


def task_to_json(task: Task) -> dict[str, Any]:
    """Return a task as JSON values."""
    kind: dict[str, Any] = {"name": task.kind.name}
    if task.kind.labels is not None:
        kind["labels"] = list(task.kind.labels)
    if task.kind.value_range is not None:
        kind["range"] = list(task.kind.value_range)
    return {
        "name": task.name,
        "kind": kind,
        "text": list(task.text),
        "label": task.label,
        "id": task.id,
        "pair": task.pair,
        "head": task.head,
        "dropout": task.dropout,
        "loss": task.loss,
        "metric": task.metric,
        "loss_weight": task.loss_weight,
        "class_weights": None if task.class_weights is None else list(task.class_weights),
    }


def task_from_json(content: dict[str, Any]) -> Task:
    """Return the task that `task_to_json` wrote.

    Raises:
        KeyError, TypeError, ValueError: the content is invalid.
    """
    weights = content["class_weights"]
    fields = {name: value for name, value in content.items() if name not in ("kind", "text", "class_weights")}
    return Task(
        **fields,
        kind=_kind(content["kind"]),
        text=tuple(content["text"]),
        class_weights=None if weights is None else tuple(weights),
    )


def _kind(content: dict[str, Any]) -> Kind:
    if content["name"] == "classification":
        return Classification(tuple(content["labels"]))
    if content["name"] == "regression":
        low, high = content["range"]
        return Regression(low, high)
    raise ValueError(f"unknown kind of task: {content['name']!r}")
