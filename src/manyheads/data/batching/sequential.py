"""Sequential: one task's whole epoch after another, in the recipe's order (the reference study's baseline)."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.shuffle import batches_per_epoch, shuffled


class Sequential:
    """Each example once an epoch, shuffled within its task, the tasks one after another."""

    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> None:
        self._sizes, self._batch_size, self._seed = dict(sizes), batch_size, seed
        self._counts = batches_per_epoch(sizes, batch_size)
        self.steps_per_epoch = sum(self._counts.values())
        self._order = lru_cache(maxsize=1)(self._shuffle)

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """The one task of batch k and its examples."""
        epoch, position = divmod(k, self.steps_per_epoch)
        for number, (task, count) in enumerate(self._counts.items()):
            if position < count:
                start = position * self._batch_size
                return [(task, self._order(epoch, number, task)[start : start + self._batch_size].copy())]
            position -= count
        raise AssertionError("the counts of the tasks sum to an epoch")

    def _shuffle(self, epoch: int, number: int, task: str) -> NDArray[np.int64]:
        return shuffled(self._sizes[task], self._seed, epoch, number)
