"""The contract of batching strategies."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

import numpy as np

from manyheads.data.batching import Batching, BatchingEntry, build_batching
from manyheads.testing.ensure import ensure

CASES = (({"a": 1}, 1), ({"a": 7}, 3), ({"a": 12, "b": 5, "c": 1}, 4), ({"a": 3, "b": 30}, 50), ({"a": 9, "b": 9}, 2))
"""Numbers of examples of each task, and batch sizes."""


def check_batching(entry: BatchingEntry, options: Mapping[str, Any] | None = None) -> None:
    """Check a batching strategy on several numbers of examples, batch sizes and seeds.

    Batch k depends on its arguments only, in any order of calls. A batch has existing examples, none twice, and at most
    the batch size. An epoch has as many examples of a task as its batches can have. Seeds and epochs differ.

    Args:
        entry: the strategy.
        options: its own options. Default: the defaults.

    Raises:
        AssertionError: The strategy does not keep the contract.
    """

    def build(sizes: Mapping[str, int], batch_size: int, seed: int) -> Batching:
        table = entry.options.model_validate({"kind": entry.name, **(options or {})})
        return build_batching(table, sizes, batch_size, seed, entry)

    for sizes, batch_size in CASES:
        for seed in (0, 1, 2**40):
            batching = build(sizes, batch_size, seed)
            name = f"{entry.name} with {sizes}, batch size {batch_size}, seed {seed}"
            _check_epochs(name, batching, sizes, batch_size)
            _check_pure(name, batching, build(dict(sizes), batch_size, seed))
    _check_variety(entry.name, [build({"a": 40, "b": 60}, 5, seed) for seed in (0, 1, 2**32)])
    for sizes, batch_size in (({"a": 3}, 0), ({}, 4), ({"a": 3, "empty": 0}, 4)):
        try:
            build(sizes, batch_size, 0)
        except ValueError:
            continue
        raise AssertionError(f"{entry.name}: {sizes} with batch size {batch_size} is not refused with a ValueError")


def _check_epochs(name: str, batching: Batching, sizes: Mapping[str, int], batch_size: int) -> None:
    steps = batching.steps_per_epoch
    ensure(steps >= 1, f"{name}: steps_per_epoch is {steps}")
    for epoch in range(2):
        drawn = dict.fromkeys(sizes, 0)
        for k in range(epoch * steps, (epoch + 1) * steps):
            batch = batching.batch(k)
            tasks = [task for task, _ in batch]
            ensure(len(set(tasks)) == len(tasks) >= 1, f"{name}: batch {k} has the tasks {tasks}")
            total = sum(len(examples) for _, examples in batch)
            ensure(1 <= total <= batch_size, f"{name}: batch {k} has {total} examples")
            for task, examples in batch:
                ensure(examples.dtype == np.int64, f"{name}: the examples of a batch are {examples.dtype}, not int64")
                distinct = len(set(examples.tolist())) == len(examples)
                ensure(distinct, f"{name}: batch {k} has an example twice")
                exist = examples.min() >= 0 and examples.max() < sizes[task]
                ensure(bool(exist), f"{name}: batch {k} has an example that does not exist")
                drawn[task] += len(examples)
        for task, size in sizes.items():
            complete = size <= drawn[task] < size + batch_size
            ensure(complete, f"{name}: epoch {epoch} has {drawn[task]} examples of {task}, which has {size}")


def _check_pure(name: str, batching: Batching, again: Batching) -> None:
    steps = list(range(3 * batching.steps_per_epoch))
    expected = {k: _listed(batching, k) for k in steps}
    random.Random(0).shuffle(steps)
    same = all(_listed(batching, k) == expected[k] == _listed(again, k) for k in steps)
    ensure(same, f"{name}: batch k depends on the order of the calls, or differs for an equal strategy")
    for _, examples in batching.batch(0):
        examples[:] = 0
    ensure(_listed(batching, 0) == expected[0], f"{name}: a change of a batch changes the strategy: return a copy")


def _check_variety(name: str, strategies: list[Batching]) -> None:
    epochs = []
    for batching in strategies:
        steps = batching.steps_per_epoch
        epochs += [[_listed(batching, k) for k in range(start, start + steps)] for start in (0, steps)]
    differ = all(left != right for place, left in enumerate(epochs) for right in epochs[:place])
    ensure(differ, f"{name}: two seeds or two epochs have the same batches")


def _listed(batching: Batching, k: int) -> list[tuple[str, list[int]]]:
    return [(task, examples.tolist()) for task, examples in batching.batch(k)]
