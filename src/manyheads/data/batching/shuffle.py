"""Seeded random orders for the strategies. No two draws of a run use the same stream of random numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import permutation


def generator(seed: int, *place: int) -> np.random.Generator:
    """Return the random generator of one place (epoch, task, ...) of a run. Generators of different places differ."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, *place])))


def shuffled(count: int, seed: int, *place: int) -> NDArray[np.int64]:
    """Return a permutation of 0..count-1 for one place of a run."""
    return permutation(count, generator(seed, *place))


def batches_per_epoch(sizes: Mapping[str, int], batch_size: int) -> dict[str, int]:
    """Return the number of batches per epoch of each task. The last batch of a task may be smaller.

    Raises:
        ValueError: The batch size is below 1, or a task has no examples.
    """
    if batch_size < 1:
        raise ValueError(f"the batch size must be at least 1, not {batch_size}")
    empty = [task for task, size in sizes.items() if size < 1]
    if empty or not sizes:
        raise ValueError(f"tasks without training examples: {', '.join(empty) or 'there are no tasks'}")
    return {task: math.ceil(size / batch_size) for task, size in sizes.items()}


TASK_ORDER = 2**32 - 1
"""The place of the order of tasks within an epoch. The tasks have the places 0, 1, ..."""
