"""The menu of batching strategies: which examples each batch is made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.even import Even
from manyheads.data.batching.even_replacement import EvenReplacement
from manyheads.data.batching.sequential import Sequential


class Batching(Protocol):
    """Batch k is a pure function of the sizes, the batch size, the seed and k; batches never span two epochs."""

    @property
    def steps_per_epoch(self) -> int:
        """Batches an epoch."""

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """For each task in batch number k (from 0, over all epochs): its name and the indices of its examples."""


class BatchingStrategy(Protocol):
    """What makes a Batching: the number of training examples of each task, the batch size and the seed."""

    def __call__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> Batching:
        """Build the strategy."""


BATCHING: dict[str, BatchingStrategy] = {
    "sequential": Sequential,
    "even": Even,
    "even_replacement": EvenReplacement,
}
