"""Batches of one task each: some of every task, in turns."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

import manyheads
from manyheads.data.batching import BatchingEntry
from manyheads.data.batching.options import StrategyOptions
from manyheads.data.batching.shuffle import batches_per_epoch, shuffled


class TurnsOptions(StrategyOptions):
    length: int = Field(default=1, ge=1, description="Batches of a task before the next task follows.")


class Turns:
    def __init__(self, sizes: Mapping[str, int], batch_size: int, seed: int, length: int) -> None:
        self._sizes, self._batch_size, self._seed = list(sizes.items()), batch_size, seed
        counts = list(batches_per_epoch(sizes, batch_size).values())
        self._turns = sorted(
            ((task, place) for task, count in enumerate(counts) for place in range(count)),
            key=lambda turn: (turn[1] // length, turn[0], turn[1]),
        )
        self.steps_per_epoch = len(self._turns)

    def batch(self, k: int) -> list[tuple[str, NDArray[np.int64]]]:
        epoch, position = divmod(k, self.steps_per_epoch)
        task, place = self._turns[position]
        name, size = self._sizes[task]
        rows = shuffled(size, self._seed, epoch, task)
        return [(name, rows[place * self._batch_size : (place + 1) * self._batch_size].copy())]


manyheads.register(BatchingEntry("turns", Turns, TurnsOptions))
