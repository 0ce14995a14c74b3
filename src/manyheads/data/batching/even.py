"""Even batching: each batch has one task, and the batches of all tasks are in one shuffled order.

This is the "even batching" of the reference study, with one difference: every example is used exactly once per epoch.
The reference's program draws every batch with replacement (see `even_replacement`).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.shuffle import TASK_ORDER, batches_per_epoch, shuffled


class Even:
    """Divide the shuffled examples of each task into batches, and shuffle all batches."""

    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> None:
        self._sizes, self._batch_size, self._seed = dict(sizes), batch_size, seed
        self._counts = batches_per_epoch(sizes, batch_size)
        self._names = list(sizes)
        self._ends = np.cumsum(list(self._counts.values()))
        self.steps_per_epoch = sum(self._counts.values())
        self._epoch = lru_cache(maxsize=1)(self._shuffle)

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """Return the task of batch k and its examples."""
        epoch, position = divmod(k, self.steps_per_epoch)
        order, examples = self._epoch(epoch)
        place = int(order[position])
        number = int(np.searchsorted(self._ends, place, side="right"))
        start = (place - int(self._ends[number]) + self._counts[self._names[number]]) * self._batch_size
        return [(self._names[number], examples[number][start : start + self._batch_size].copy())]

    def _shuffle(self, epoch: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """Return the order of the epoch's batches, numbered across tasks, and the shuffled examples of each task."""
        order = shuffled(self.steps_per_epoch, self._seed, epoch, TASK_ORDER)
        examples = [shuffled(size, self._seed, epoch, number) for number, size in enumerate(self._sizes.values())]
        return order, examples
