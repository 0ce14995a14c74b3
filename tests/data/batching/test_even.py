"""Even batching: batches of one task each, in one shuffled order."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.batching.even import Even

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5).map(
    lambda sizes: {f"task{number}": size for number, size in enumerate(sizes)}
)


def tasks_of(batching: Even, epoch: int) -> list[str]:
    steps = batching.steps_per_epoch
    return [batching.batch(k)[0][0] for k in range(epoch * steps, (epoch + 1) * steps)]


@settings(deadline=None, max_examples=100)
@given(SIZES, st.integers(1, 12), st.integers(0, 3), st.integers(0, 2))
def test_an_epoch_has_every_example_once_and_one_short_batch_per_task(
    sizes: dict[str, int], batch_size: int, seed: int, epoch: int
) -> None:
    batching = Even(sizes, batch_size, seed)
    seen: dict[str, list[int]] = {task: [] for task in sizes}
    short: Counter[str] = Counter()
    for k in range(epoch * batching.steps_per_epoch, (epoch + 1) * batching.steps_per_epoch):
        ((task, examples),) = batching.batch(k)
        seen[task].extend(examples.tolist())
        short[task] += len(examples) < batch_size
    assert {task: sorted(found) for task, found in seen.items()} == {task: [*range(n)] for task, n in sizes.items()}
    assert all(short[task] == (size % batch_size != 0) for task, size in sizes.items())


def test_the_tasks_are_mixed_throughout_the_epoch() -> None:
    tasks = tasks_of(Even({"large": 900, "small": 100}, 1, 0), 0)
    quarters = [tasks[start : start + 250].count("small") for start in range(0, 1000, 250)]
    assert sum(quarters) == 100
    assert all(10 <= count <= 40 for count in quarters)


@pytest.mark.parametrize(("seed", "epoch"), [(0, 1), (1, 0)])
def test_every_epoch_and_every_seed_has_a_different_order(seed: int, epoch: int) -> None:
    sizes = {"a": 60, "b": 60}
    assert tasks_of(Even(sizes, 2, seed), epoch) != tasks_of(Even(sizes, 2, 0), 0)
    first, other = Even({"a": 60}, 60, 0).batch(0)[0][1], Even({"a": 60}, 60, seed).batch(epoch)[0][1]
    assert first.tolist() != other.tolist()


def test_the_order_of_a_tasks_examples_does_not_depend_on_other_tasks() -> None:
    def of_a(batching: Even) -> list[tuple[int, ...]]:
        batches = [batching.batch(k)[0] for k in range(batching.steps_per_epoch)]
        return sorted(tuple(examples.tolist()) for task, examples in batches if task == "a")

    assert of_a(Even({"a": 30, "b": 10}, 4, 0)) == of_a(Even({"a": 30, "b": 25}, 4, 0))


def test_neighbouring_examples_of_the_file_are_spread_over_the_batches() -> None:
    batching = Even({"task": 1000}, 10, 0)
    means = [np.mean(batching.batch(k)[0][1]) for k in range(100)]
    assert np.std(means) < 200  # it is 289 for batches in the order of the file
