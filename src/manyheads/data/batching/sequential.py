"""Sequential batching: all batches of one task, then all of the next, in the recipe's order.

This is the baseline of the reference study.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.shuffle import batches_per_epoch, shuffled


class Sequential:
    """Use each example once per epoch, shuffled within its task, one task after another."""

    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> None:
        self._sizes, self._batch_size, self._seed = dict(sizes), batch_size, seed
        self._counts = batches_per_epoch(sizes, batch_size)
        self.steps_per_epoch = sum(self._counts.values())
        self._order = lru_cache(maxsize=1)(self._shuffle)

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """Return the task of batch k and its examples."""
        epoch, position = divmod(k, self.steps_per_epoch)
        for number, (task, count) in enumerate(self._counts.items()):
            if position < count:
                start = position * self._batch_size
                return [(task, self._order(epoch, number, task)[start : start + self._batch_size].copy())]
            position -= count
        raise AssertionError("the counts of the tasks sum to an epoch")

    def _shuffle(self, epoch: int, number: int, task: str) -> NDArray[np.int64]:
        return shuffled(self._sizes[task], self._seed, epoch, number)
