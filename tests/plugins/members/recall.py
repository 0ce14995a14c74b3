"""Recall: the share of the examples with a label that are predicted correctly."""

from __future__ import annotations

from typing import Any

import numpy as np
from pydantic import Field

import manyheads
from manyheads.evaluation.metrics.metric import Floats, Metric, MetricOptions
from manyheads.tasks.kind import Kind, Predictions


class RecallOptions(MetricOptions):
    label: str | int = Field(description="The label.")


def recall(predictions: Predictions, targets: Floats, *, code: float) -> float | None:
    """Return the recall, or None if no example has the label."""
    own = targets == code
    return float(np.mean(predictions.values[own] == code)) if own.any() else None


def influence(predictions: Predictions, targets: Floats, *, code: float) -> Floats:
    """Return the influence of each example."""
    own = targets == code
    right = (predictions.values == code).astype(float)
    return np.where(own, (right - right[own].mean()) / own.mean(), 0.0)


def bind(options: RecallOptions, kind: Kind) -> dict[str, Any]:
    return {"code": kind.parse(options.label)}


manyheads.register(
    Metric(
        name="recall",
        title="recall",
        function=recall,
        influence=influence,
        targets=("classes",),
        rarest=lambda targets, code: int((targets == code).sum()),
        options=RecallOptions,
        bind=bind,
    )
)
