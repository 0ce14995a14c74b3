"""Even with replacement: what the reference study's program did under the name of even batching.

Every batch is the first `batch_size` examples of a fresh shuffle of its task, so about 37% of the examples are not
seen in an epoch. Kept to reproduce its figures; use `even` for anything else.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batching.shuffle import TASK_ORDER, batches_per_epoch, generator, shuffled


class EvenReplacement:
    """As many batches of each task as an epoch of it fills, in one shuffled order, each drawn anew."""

    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int) -> None:
        self._sizes, self._batch_size, self._seed = dict(sizes), batch_size, seed
        self._counts = batches_per_epoch(sizes, batch_size)
        self._names = list(sizes)
        self.steps_per_epoch = sum(self._counts.values())
        self._epoch = lru_cache(maxsize=1)(self._tasks)

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        """The one task of batch k and the examples drawn for it; none stands twice in a batch."""
        epoch, position = divmod(k, self.steps_per_epoch)
        number = int(self._epoch(epoch)[position])
        task = self._names[number]
        drawn = shuffled(self._sizes[task], self._seed, epoch, number, position)
        return [(task, drawn[: self._batch_size])]

    def _tasks(self, epoch: int) -> NDArray[np.int64]:
        """The task of every batch of an epoch."""
        tasks = np.repeat(np.arange(len(self._counts)), list(self._counts.values()))
        return generator(self._seed, epoch, TASK_ORDER).permutation(tasks)
