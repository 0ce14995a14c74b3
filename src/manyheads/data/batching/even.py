"""Even: batches of one task each, those of all tasks in one shuffled order (the reference study's "even batching").

Unlike the reference's own program, which drew each batch anew, every example is seen exactly once an epoch.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.shuffle import TASK_ORDER, batches_per_epoch, shuffled


class Even:
    """Every task's shuffled epoch cut into batches, and all batches in one shuffled order."""

    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> None:
        self._sizes, self._batch_size, self._seed = dict(sizes), batch_size, seed
        self._counts = batches_per_epoch(sizes, batch_size)
        self._names = list(sizes)
        self._ends = np.cumsum(list(self._counts.values()))
        self.steps_per_epoch = sum(self._counts.values())
        self._epoch = lru_cache(maxsize=1)(self._shuffle)

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """The one task of batch k and its examples."""
        epoch, position = divmod(k, self.steps_per_epoch)
        order, examples = self._epoch(epoch)
        place = int(order[position])
        number = int(np.searchsorted(self._ends, place, side="right"))
        start = (place - int(self._ends[number]) + self._counts[self._names[number]]) * self._batch_size
        return [(self._names[number], examples[number][start : start + self._batch_size].copy())]

    def _shuffle(self, epoch: int) -> tuple[NDArray[np.int64], list[NDArray[np.int64]]]:
        """The epoch's batches in their order, counted over the tasks, and each task's shuffled examples."""
        order = shuffled(self.steps_per_epoch, self._seed, epoch, TASK_ORDER)
        examples = [shuffled(size, self._seed, epoch, number) for number, size in enumerate(self._sizes.values())]
        return order, examples
