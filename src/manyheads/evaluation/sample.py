"""The influence of each dev example on a metric, and samples of a metric over seeds with these influences."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.metrics.resolve import Chosen, resolve
from manyheads.ragged import Rows, Stack
from manyheads.tasks.kind import Predictions

FEW = 20
"""With fewer clusters, the t quantile of the sampling variance is noticeably larger than the normal one."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


@dataclass(frozen=True)
class Sample:
    """A metric of one task and one row.

    The dev examples form G independent units: single examples, or clusters of examples that belong together.

    `values`: float64[S], the metric of each seed. `influence`: float64[S, G], the influence of each unit on the metric
    of each seed. Its mean over the units is 0; see `influence.sample`. `seeds`: the numbers of the seeds; None if they
    are unknown, and then rows are not paired by seed. `units`: int64[G], names of the units, which tasks may share;
    None if the units of different tasks are independent. `clustered`: whether units have several examples.

    `low`, `high`: the range of the metric. `correlation`: whether it has the scale of Fisher's z. `step`: the influence
    of one example that is predicted differently, 0 if unknown. `rarest`: the number of examples that decide the metric
    at the end of its range; for metrics over classes, those of the rarest class. `count`: the number n of examples.
    `task`: the name of the task, by which rows are matched.
    """

    values: Floats
    influence: Floats
    seeds: tuple[int, ...] | None = None
    units: Integers | None = None
    clustered: bool = False
    low: float = -math.inf
    high: float = math.inf
    correlation: bool = False
    step: float = 0.0
    rarest: int = 1
    count: int = 1
    task: str = ""

    def take(self, seeds: Sequence[int]) -> Sample:
        """Return the sample of these seeds, in this order. `self.seeds` must contain them."""
        known = self.seeds or ()
        if tuple(seeds) == known:
            return self
        places = [known.index(seed) for seed in seeds]
        return replace(self, values=self.values[places], influence=self.influence[places], seeds=tuple(seeds))


def summed(influence: Floats, clusters: Integers) -> tuple[Floats, Integers]:
    """Return the influence of each cluster and the names of the clusters (Liang and Zeger 1986).

    The influences of a cluster are added and scaled by clusters / examples, so that the mean over clusters is the mean
    over examples. `influence`: float64[S, n]. `clusters`: int64[n].

    Returns:
        float64[S, G] and int64[G].
    """
    names, places = np.unique(clusters, return_inverse=True)
    totals: Floats = np.stack([np.bincount(places, weights=row, minlength=len(names)) for row in influence])
    scaled: Floats = totals * (len(names) / len(clusters))
    return scaled, names.astype(np.int64)


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
