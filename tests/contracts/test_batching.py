"""Every batching strategy on the menu keeps the public contract, also for drawn sizes."""

from __future__ import annotations

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.batching import BATCHING, Batching
from manyheads.testing import check_batching

pytestmark = pytest.mark.parametrize("name", BATCHING)

SIZES = st.lists(st.integers(1, 30), min_size=1, max_size=4).map(
    lambda sizes: {f"task{number}": size for number, size in enumerate(sizes)}
)
Listed = list[tuple[str, list[int]]]


def listed(batching: Batching, k: int) -> Listed:
    return [(task, examples.tolist()) for task, examples in batching.batch(k)]


def test_it_keeps_the_contract(name: str) -> None:
    check_batching(BATCHING[name])


@settings(deadline=None, max_examples=40)
@given(SIZES, st.integers(1, 10), st.integers(0, 2**40), st.randoms(use_true_random=False))
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
                assert len(set(examples.tolist())) == len(examples)
        for task, size in sizes.items():
            assert size <= drawn[task] < size + batch_size


def test_later_changes_of_the_sizes_have_no_effect(name: str) -> None:
    sizes = {"a": 12, "b": 7}
    batching = BATCHING[name].build(sizes, 5, 0)
    before = listed(batching, 1)
    sizes["a"] = 3
    assert listed(batching, 1) == before
