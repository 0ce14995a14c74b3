"""Metrics of the rank of the right one among candidates, from 1, and of the order of candidates."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from pydantic import Field

from manyheads.evaluation.metrics.metric import Floats, Metric, MetricOptions
from manyheads.ragged import Ragged, Rows
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.rankings import first_ranks


class RecallAtOptions(MetricOptions):
    """The options of the recall at k."""

    k: int | None = Field(default=None, ge=1, description="The highest rank that counts. Required.")


class NdcgOptions(MetricOptions):
    """The options of the NDCG."""

    k: int | None = Field(default=None, ge=1, description="The highest rank that counts. Default: all ranks.")


def _ranks(predictions: Predictions, targets: Rows) -> Floats:
    """Return the rank of the right one of each example: that of the first right candidate, or the predicted rank."""
    return first_ranks(predictions.values, targets) if isinstance(targets, Ragged) else predictions.values


def reciprocal_rank(predictions: Predictions, targets: Rows) -> float | None:
    """Return the mean of 1 / rank. None without examples.

    Source: Voorhees (1999), "The TREC-8 Question Answering Track Report", section 3.
    """
    return float(np.mean(_reciprocals(predictions, targets))) if len(targets) else None


def _reciprocals(predictions: Predictions, targets: Rows) -> Floats:
    reciprocals: Floats = 1.0 / _ranks(predictions, targets)
    return reciprocals


def recall_at(predictions: Predictions, targets: Rows, *, k: int) -> float | None:
    """Return the share of examples whose rank is at most k. None without examples."""
    return float(np.mean(_found(predictions, targets, k=k))) if len(targets) else None


def _found(predictions: Predictions, targets: Rows, *, k: int) -> Floats:
    found: Floats = (_ranks(predictions, targets) <= k).astype(np.float64)
    return found


def ndcg(predictions: Predictions, targets: Ragged, *, k: int | None = None) -> float | None:
    """Return the mean of the discounted cumulative gain, divided by that of the best order. None without examples.

    The gain of a candidate is its relevance, and its discount 1 / log2(1 + rank). Candidates with equal predictions
    have the mean discount of their ranks. Source: Jaervelin and Kekaelaeinen (2002), "Cumulated gain-based evaluation
    of IR techniques", section 3; ties: McSherry and Najork (2008), section 3.
    """
    return float(np.mean(_gains(predictions, targets, k=k))) if len(targets) else None


def _gains(predictions: Predictions, targets: Ragged, *, k: int | None = None) -> Floats:
    """Return the NDCG of each row: float64[n]."""
    found = targets.sums(targets.values * _discounts(predictions.values, k))
    best = targets.sums(targets.values * _discounts(targets, k))
    gains: Floats = np.divide(found, best, out=np.zeros(len(found)), where=best > 0)
    return gains


def _discounts(rows: Ragged, k: int | None) -> Floats:
    """Return the discount of each number by its rank in its row, the highest first: float64[N]. Ties share theirs."""
    owners, numbers = rows.owners, rows.values
    order = np.lexsort((-numbers, owners))
    ranks = np.arange(len(order)) - rows.offsets[owners[order]] + 1
    discounts = 1.0 / np.log2(1.0 + ranks)
    if k is not None:
        discounts = np.where(ranks <= k, discounts, 0.0)
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(numbers[order]) != 0) | (np.diff(owners[order]) != 0)
    tied = np.cumsum(fresh) - 1
    means = np.bincount(tied, discounts) / np.bincount(tied)
    shared = np.empty(len(order))
    shared[order] = means[tied]
    return shared


def _of_option(options: Any, kind: Kind) -> Mapping[str, Any]:
    del kind
    if options.k is None:
        raise ValueError('name the highest rank that counts: { kind = "recall_at", k = 20 }')
    return {"k": options.k}


def _up_to(options: Any, kind: Kind) -> Mapping[str, Any]:
    del kind
    return {"k": options.k}


def _recall_at(k: int) -> Metric:
    def function(predictions: Predictions, targets: Rows) -> float | None:
        """Return the share of examples whose rank is at most k. None without examples."""
        return recall_at(predictions, targets, k=k)

    def influence(predictions: Predictions, targets: Rows) -> Floats:
        return _found(predictions, targets, k=k)

    return Metric(f"recall_at_{k}", f"recall at {k}", function, influence, ("ranks", "candidates"), step=1.0)


MRR = Metric("mrr", "mean reciprocal rank", reciprocal_rank, _reciprocals, ("ranks", "candidates"))

RECALL_AT_1, RECALL_AT_5, RECALL_AT_10 = (_recall_at(k) for k in (1, 5, 10))

RECALL_AT = Metric(
    "recall_at",
    "recall at",
    recall_at,
    _found,
    ("ranks", "candidates"),
    step=1.0,
    options=RecallAtOptions,
    bind=_of_option,
)

NDCG = Metric("ndcg", "NDCG", ndcg, _gains, ("candidates",), options=NdcgOptions, bind=_up_to)
