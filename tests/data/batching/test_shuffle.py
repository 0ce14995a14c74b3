"""Seeded orders."""

from __future__ import annotations

import pytest

from manyheads.data.batching.shuffle import TASK_ORDER, batches_per_epoch, generator, shuffled


def test_a_shuffle_is_a_permutation_that_depends_on_seed_and_place() -> None:
    assert sorted(shuffled(50, 1, 2, 3).tolist()) == list(range(50))
    assert shuffled(50, 1, 2, 3).tolist() == shuffled(50, 1, 2, 3).tolist()
    places = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1), (0, 0, TASK_ORDER), (1, 1, 0)]
    assert len({tuple(shuffled(50, *place).tolist()) for place in places}) == len(places)


def test_orders_do_not_change_with_versions() -> None:
    """Compare with recorded orders. With other orders, old runs could not be repeated or resumed."""
    assert shuffled(8, 0, 0, 0).tolist() == [2, 4, 3, 6, 5, 0, 1, 7]
    assert generator(7, 1, 2).integers(1000, size=4).tolist() == [688, 923, 971, 720]


def test_the_number_of_batches_includes_the_short_last_one() -> None:
    assert batches_per_epoch({"a": 8, "b": 9, "c": 1}, 4) == {"a": 2, "b": 3, "c": 1}


def test_a_task_without_examples_is_named() -> None:
    with pytest.raises(ValueError, match=r"without training examples: b, d$"):
        batches_per_epoch({"a": 8, "b": 0, "c": 1, "d": 0}, 4)
