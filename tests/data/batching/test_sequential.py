"""Sequential batching: all batches of one task after another."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.batching.sequential import Sequential

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=5).map(
    lambda sizes: {f"task{number}": size for number, size in enumerate(sizes)}
)


@settings(deadline=None, max_examples=100)
@given(SIZES, st.integers(1, 12), st.integers(0, 3), st.integers(0, 2))
def test_an_epoch_has_every_example_once_one_task_after_another(
    sizes: dict[str, int], batch_size: int, seed: int, epoch: int
) -> None:
    batching = Sequential(sizes, batch_size, seed)
    seen: dict[str, list[int]] = {}
    for k in range(epoch * batching.steps_per_epoch, (epoch + 1) * batching.steps_per_epoch):
        ((task, examples),) = batching.batch(k)
        if task in seen:
            assert task == list(seen)[-1]  # no task occurs again later
            assert len(seen[task]) % batch_size == 0  # only its last batch is short
        seen.setdefault(task, []).extend(examples.tolist())
    assert list(seen) == list(sizes)
    assert {task: sorted(found) for task, found in seen.items()} == {task: [*range(n)] for task, n in sizes.items()}


def test_the_tasks_are_in_the_given_order() -> None:
    batching = Sequential({"b": 4, "a": 3}, 2, 0)
    assert [batching.batch(k)[0][0] for k in range(8)] == ["b", "b", "a", "a", "b", "b", "a", "a"]
    assert [len(batching.batch(k)[0][1]) for k in range(4)] == [2, 2, 2, 1]


@pytest.mark.parametrize("other", [(0, 1), (1, 0)])
def test_the_order_differs_between_epochs_and_seeds(other: tuple[int, int]) -> None:
    seed, epoch = other
    first = Sequential({"task": 100}, 100, 0).batch(0)[0][1]
    assert first.tolist() != sorted(first.tolist())
    assert Sequential({"task": 100}, 100, seed).batch(epoch)[0][1].tolist() != first.tolist()


def test_tasks_of_the_same_size_have_different_orders() -> None:
    batching = Sequential({"a": 50, "b": 50}, 50, 0)
    assert batching.batch(0)[0][1].tolist() != batching.batch(1)[0][1].tolist()
