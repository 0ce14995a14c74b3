"""The menu of batching strategies, which decide the examples of each batch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.even import Even
from manyheads.data.batching.even_replacement import EvenReplacement
from manyheads.data.batching.sequential import Sequential


class Batching(Protocol):
    """The batches of a run. Batch k depends only on the sizes, the batch size, the seed and k.

    A batch never has examples of two epochs.
    """

    @property
    def steps_per_epoch(self) -> int:
        """The number of batches per epoch."""

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """Return the tasks of batch k, counted from 0 over all epochs: each name with the indices of its examples."""


class BatchingStrategy(Protocol):
    """The constructor of a Batching. `sizes`: the number of training examples of each task."""

    def __call__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> Batching:
        """Return the batches of a run."""


BATCHING: dict[str, BatchingStrategy] = {
    "sequential": Sequential,
    "even": Even,
    "even_replacement": EvenReplacement,
}
