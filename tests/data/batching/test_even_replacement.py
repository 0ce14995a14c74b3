"""Even batching with replacement, as in the reference study."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.batching.even import Even
from manyheads.data.batching.even_replacement import EvenReplacement

SIZES = st.lists(st.integers(1, 40), min_size=1, max_size=4).map(
    lambda sizes: {f"task{number}": size for number, size in enumerate(sizes)}
)


@settings(deadline=None, max_examples=100)
@given(SIZES, st.integers(1, 12), st.integers(0, 3), st.integers(0, 2))
def test_an_epoch_has_the_tasks_of_even_and_every_batch_is_full(
    sizes: dict[str, int], batch_size: int, seed: int, epoch: int
) -> None:
    drawn, even = EvenReplacement(sizes, batch_size, seed), Even(sizes, batch_size, seed)
    assert drawn.steps_per_epoch == even.steps_per_epoch
    steps = range(epoch * drawn.steps_per_epoch, (epoch + 1) * drawn.steps_per_epoch)
    assert Counter(drawn.batch(k)[0][0] for k in steps) == Counter(even.batch(k)[0][0] for k in steps)
    for k in steps:
        ((task, examples),) = drawn.batch(k)
        assert len(examples) == len(set(examples.tolist())) == min(batch_size, sizes[task])


def test_about_37_per_cent_of_the_examples_are_not_used_in_an_epoch() -> None:
    batching = EvenReplacement({"a": 2000, "b": 1000}, 10, 0)
    seen: dict[str, set[int]] = {"a": set(), "b": set()}
    for k in range(batching.steps_per_epoch):
        ((task, examples),) = batching.batch(k)
        seen[task].update(examples.tolist())
    assert abs(1 - len(seen["a"]) / 2000 - 0.368) < 0.04
    assert abs(1 - len(seen["b"]) / 1000 - 0.368) < 0.05


def test_batches_of_a_task_are_drawn_independently() -> None:
    batching = EvenReplacement({"task": 100}, 50, 0)
    overlaps = [
        len(set(batching.batch(k)[0][1].tolist()) & set(batching.batch(k + 1)[0][1].tolist())) for k in range(40)
    ]
    assert 20 <= sum(overlaps) / len(overlaps) <= 30  # 25 of 50 when independent; 0 within an epoch without replacement
