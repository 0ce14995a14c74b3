"""The plan: no update spans two epochs, every batch is used once, and evaluations come at the right steps."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from manyheads.training.plan import Plan


@given(st.integers(1, 40), st.integers(1, 5), st.integers(1, 7))
def test_every_batch_is_used_once_in_order_and_no_update_spans_two_epochs(
    batches: int, epochs: int, accumulation: int
) -> None:
    plan = Plan(batches_per_epoch=batches, epochs=epochs, accumulation=accumulation)
    updates = [list(plan.batches(step)) for step in range(plan.total_steps)]
    assert [number for update in updates for number in update] == list(range(batches * epochs))
    for update in updates:
        assert 1 <= len(update) <= accumulation
        assert len({number // batches for number in update}) == 1


def test_it_evaluates_after_each_epoch_and_at_an_early_end() -> None:
    plan = Plan(batches_per_epoch=4, epochs=3, max_steps=10)
    assert plan.total_steps == 10
    assert [done for done in range(1, 11) if plan.evaluates(done)] == [4, 8, 10]
    assert [plan.epoch(done) for done in (4, 8, 10)] == [1, 2, 2.5]


def test_it_evaluates_every_n_steps_and_saves_in_between() -> None:
    plan = Plan(batches_per_epoch=4, epochs=3, evaluate_every=5, checkpoint_every=2)
    assert [done for done in range(1, 13) if plan.evaluates(done)] == [5, 10, 12]
    assert [done for done in range(1, 13) if plan.saves(done)] == [2, 4, 5, 6, 8, 10, 12]
