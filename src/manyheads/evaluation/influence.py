"""The influence of each dev example on a metric, which gives the sampling variance of the metric.

A metric of n examples is approximately its true value plus the mean of the examples' influences (Hampel 1974).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.metrics.resolve import Chosen, resolve
from manyheads.evaluation.sample import Floats, Integers, Sample, summed
from manyheads.ragged import Rows, Stack
from manyheads.tasks.kind import Predictions


def sample(
    metric: str | Chosen,
    predictions: Stack,
    targets: Rows,
    *,
    probabilities: Stack | None = None,
    seeds: Sequence[int] | None = None,
    clusters: Integers | None = None,
    first: NDArray[np.bool_] | None = None,
) -> Sample | None:
    """Return the metric of each seed's predictions for the same n examples, and the influence of each unit.

    With `first`, bool[n], the metric is the mean of the metrics of two halves of the examples, and the influence of an
    example is that on the metric of its half.

    `predictions`: float64[S, n, ...] or a ragged stack, decoded values. `targets`: the same without S. `probabilities`:
    [S, n, classes], for metrics that need them. `seeds`: the numbers of the seeds. `clusters`: int64[n], the cluster of
    each example; None if examples are independent. None if the metric is undefined for a seed, or on a half.
    """
    chosen = resolve(metric)
    parts: list[Any] = [slice(None)] if first is None else [first, ~first]
    by_part = [
        [chosen.value(_taken(predictions, probabilities, seed, part), targets[part]) for part in parts]
        for seed in range(len(predictions))
    ]
    known = [[value for value in values if value is not None] for values in by_part]
    if not known or any(len(values) < len(parts) for values in known):
        return None
    influence: Floats = np.zeros(predictions.shape[:2])
    for seed, row in enumerate(influence):
        for part in parts:
            own = chosen.influence(_taken(predictions, probabilities, seed, part), targets[part])
            row[part] = (own - own.mean()) * (len(targets) / (len(parts) * len(own)))
    units, clustered = clusters, False
    if clusters is not None:
        examples = influence.shape[1]
        influence, units = summed(influence, clusters)
        clustered = influence.shape[1] < examples
    return Sample(
        values=np.mean(known, axis=1),
        influence=influence,
        seeds=None if seeds is None else tuple(seeds),
        units=units,
        clustered=clustered,
        count=len(targets),
        **_range(chosen, targets, influence.shape[1]),
    )


def _taken(predictions: Stack, probabilities: Stack | None, seed: int, part: Any) -> Predictions:
    """Return the predictions of a seed for some examples."""
    own = None if probabilities is None else probabilities[seed][part].astype(np.float64)
    return Predictions(predictions[seed][part], own)


def _range(chosen: Chosen, targets: Rows, units: int) -> dict[str, Any]:
    """Return the fields of a sample that describe the range of its metric."""
    metric = chosen.metric
    if not metric.bounded:
        return {}
    low, high = metric.range
    rarest = chosen.rarest(targets, units)
    return {"low": low, "high": high, "correlation": metric.correlation, "step": metric.step, "rarest": rarest}
