"""Even batching with replacement, as in the reference study's program.

Every batch is the first `batch_size` examples of a new shuffle of its task, so about 37% of the examples are not used
in an epoch. Use it to reproduce the figures of the reference study, and `even` for everything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.shuffle import TASK_ORDER, batches_per_epoch, generator, shuffled


class EvenReplacement:
    """Batches of one task each in one shuffled order. Each batch is drawn from all examples of its task."""

    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> None:
        self._sizes, self._batch_size, self._seed = dict(sizes), batch_size, seed
        self._counts = batches_per_epoch(sizes, batch_size)
        self._names = list(sizes)
        self.steps_per_epoch = sum(self._counts.values())
        self._epoch = lru_cache(maxsize=1)(self._tasks)

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """Return the task of batch k and its examples. A batch has no example twice."""
        epoch, position = divmod(k, self.steps_per_epoch)
        number = int(self._epoch(epoch)[position])
        task = self._names[number]
        drawn = shuffled(self._sizes[task], self._seed, epoch, number, position)
        return [(task, drawn[: self._batch_size])]

    def _tasks(self, epoch: int) -> NDArray[np.int64]:
        """Return the task of every batch of an epoch."""
        tasks = np.repeat(np.arange(len(self._counts)), list(self._counts.values()))
        return generator(self._seed, epoch, TASK_ORDER).permutation(tasks)
