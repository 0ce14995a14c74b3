"""Every batching strategy on the menu."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.batching import BATCHING, Batching

pytestmark = pytest.mark.parametrize("name", BATCHING)

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=4).map(
    lambda sizes: {f"task{number}": size for number, size in enumerate(sizes)}
)
Listed = list[tuple[str, list[int]]]


def listed(batching: Batching, k: int) -> Listed:
    return [(task, examples.tolist()) for task, examples in batching.batch(k)]


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(1, 10), st.integers(0, 2**40))
def test_a_batch_has_existing_examples_and_at_most_the_batch_size(
    name: str, sizes: dict[str, int], batch_size: int, seed: int
) -> None:
    batching = BATCHING[name].build(sizes, batch_size, seed)
    assert batching.steps_per_epoch >= 1
    for k in range(2 * batching.steps_per_epoch):
        batch = batching.batch(k)
        tasks = [task for task, _ in batch]
        assert len(set(tasks)) == len(tasks) >= 1
        assert 1 <= sum(len(examples) for _, examples in batch) <= batch_size
        for task, examples in batch:
            assert examples.dtype == np.int64
            assert len(set(examples.tolist())) == len(examples)
            assert examples.min() >= 0
            assert examples.max() < sizes[task]


@settings(deadline=None, max_examples=40)
@given(SIZES, st.integers(1, 10), st.integers(0, 9), st.randoms(use_true_random=False))
def test_batch_k_is_the_same_in_any_order_of_calls_and_for_a_new_object(
    name: str, sizes: dict[str, int], batch_size: int, seed: int, order: random.Random
) -> None:
    batching = BATCHING[name].build(sizes, batch_size, seed)
    steps = list(range(3 * batching.steps_per_epoch))
    in_order = {k: listed(batching, k) for k in steps}
    order.shuffle(steps)
    assert {k: listed(batching, k) for k in steps} == in_order
    last = max(steps)
    assert listed(BATCHING[name].build(dict(sizes), batch_size, seed), last) == in_order[last]


@settings(deadline=None, max_examples=60)
@given(SIZES, st.integers(1, 10), st.integers(0, 9))
def test_an_epoch_has_the_batches_that_the_examples_of_each_task_fill(
    name: str, sizes: dict[str, int], batch_size: int, seed: int
) -> None:
    batching = BATCHING[name].build(sizes, batch_size, seed)
    for epoch in range(2):
        drawn = dict.fromkeys(sizes, 0)
        for k in range(epoch * batching.steps_per_epoch, (epoch + 1) * batching.steps_per_epoch):
            for task, examples in batching.batch(k):
                drawn[task] += len(examples)
        for task, size in sizes.items():
            assert size <= drawn[task] < size + batch_size


def test_seeds_and_epochs_differ(name: str) -> None:
    def epoch_of(seed: int, epoch: int) -> list[Listed]:
        batching = BATCHING[name].build({"a": 40, "b": 60}, 5, seed)
        steps = batching.steps_per_epoch
        return [listed(batching, k) for k in range(epoch * steps, (epoch + 1) * steps)]

    epochs = [epoch_of(0, 0), epoch_of(0, 1), epoch_of(1, 0), epoch_of(1, 1), epoch_of(2**32, 0)]
    assert all(left != right for number, left in enumerate(epochs) for right in epochs[:number])


def test_changing_a_batch_does_not_change_another_one(name: str) -> None:
    batching = BATCHING[name].build({"a": 40}, 5, 0)
    before = listed(batching, 2)
    for _, examples in batching.batch(2):
        examples[:] = 0
    assert listed(batching, 2) == before


def test_later_changes_of_the_sizes_have_no_effect(name: str) -> None:
    sizes = {"a": 12, "b": 7}
    batching = BATCHING[name].build(sizes, 5, 0)
    before = listed(batching, 1)
    sizes["a"] = 3
    assert listed(batching, 1) == before


def test_a_batch_size_below_one_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="at least 1"):
        BATCHING[name].build({"a": 3}, 0, 0)


@pytest.mark.parametrize("sizes", [{}, {"a": 3, "empty": 0}])
def test_a_task_without_examples_is_refused(name: str, sizes: dict[str, int]) -> None:
    with pytest.raises(ValueError, match=r"empty|no tasks"):
        BATCHING[name].build(sizes, 4, 0)
