"""Sample: a metric of one task and one row, for each seed, with the influence of each unit of the dev examples."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

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
