"""Metrics of the rank of the correct text among candidates, from 1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from manyheads.evaluation.metrics.metric import Floats, Metric, MetricOptions
from manyheads.tasks.kind import Kind, Predictions


class RecallAtOptions(MetricOptions):
    """The options of the recall at k."""

    k: int | None = Field(default=None, ge=1, description="The highest rank that counts. Required.")


def reciprocal_rank(predictions: Predictions, targets: Floats) -> float | None:
    """Return the mean of 1 / rank. None without examples.

    Source: Voorhees (1999), "The TREC-8 Question Answering Track Report", section 3.
    """
    return float(np.mean(1.0 / predictions.values)) if len(targets) else None


def _reciprocals(predictions: Predictions, targets: Floats) -> Floats:
    del targets
    reciprocals: Floats = 1.0 / predictions.values
    return reciprocals


def recall_at(predictions: Predictions, targets: Floats, *, k: int) -> float | None:
    """Return the share of examples whose rank is at most k. None without examples."""
    return float(np.mean(predictions.values <= k)) if len(targets) else None


def _found(predictions: Predictions, targets: Floats, *, k: int) -> Floats:
    del targets
    found: Floats = (predictions.values <= k).astype(np.float64)
    return found


def _of_option(options: Any, kind: Kind) -> Mapping[str, Any]:
    del kind
    if options.k is None:
        raise ValueError('name the highest rank that counts: { kind = "recall_at", k = 20 }')
    return {"k": options.k}


def _recall_at(k: int) -> Metric:
    def function(predictions: Predictions, targets: Floats) -> float | None:
        """Return the share of examples whose rank is at most k. None without examples."""
        return recall_at(predictions, targets, k=k)

    def influence(predictions: Predictions, targets: Floats) -> Floats:
        return _found(predictions, targets, k=k)

    return Metric(f"recall_at_{k}", f"recall at {k}", function, influence, ("ranks",), step=1.0)


MRR = Metric("mrr", "mean reciprocal rank", reciprocal_rank, _reciprocals, ("ranks",))

RECALL_AT_1, RECALL_AT_5, RECALL_AT_10 = (_recall_at(k) for k in (1, 5, 10))

RECALL_AT = Metric(
    "recall_at", "recall at", recall_at, _found, ("ranks",), step=1.0, options=RecallAtOptions, bind=_of_option
)
