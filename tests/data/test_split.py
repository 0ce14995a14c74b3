"""Holding out a share of the rows: the same for every run, with equal texts on one side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.examples import Examples
from manyheads.data.split import draw, hold_out
from manyheads.errors import DataError

PAIRS = st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from("xyz")), min_size=2, max_size=60).filter(
    lambda pairs: len(set(pairs)) > 1
)
SHARES = st.floats(0.01, 0.99)


def examples_of(pairs: list[tuple[str, str]]) -> Examples:
    return Examples(
        task="task",
        source="file.csv",
        ids=[str(row) for row in range(len(pairs))],
        texts=([left for left, _ in pairs], [right for _, right in pairs]),
        targets=np.arange(len(pairs), dtype=np.float64),
        lines=np.arange(2, len(pairs) + 2),
    )


def texts_of(examples: Examples) -> set[tuple[str, ...]]:
    return set(zip(*examples.texts, strict=True))


@settings(deadline=None, max_examples=200)
@given(PAIRS, SHARES)
def test_every_row_is_on_one_side_in_order_and_equal_texts_are_together(
    pairs: list[tuple[str, str]], share: float
) -> None:
    whole = examples_of(pairs)
    train, dev = hold_out([whole], share)[0]
    assert sorted([*map(int, train.ids), *map(int, dev.ids)]) == list(range(len(pairs)))
    for side in (train, dev):
        rows = [int(name) for name in side.ids]
        assert rows == sorted(rows)
        assert len(rows) > 0
        assert side.targets.tolist() == rows
        assert list(zip(*side.texts, strict=True)) == [pairs[row] for row in rows]
    assert not texts_of(train) & texts_of(dev)


@settings(deadline=None, max_examples=100)
@given(PAIRS, SHARES)
def test_the_share_is_met_to_within_one_group(pairs: list[tuple[str, str]], share: float) -> None:
    _, dev = hold_out([examples_of(pairs)], share)[0]
    largest = max(pairs.count(pair) for pair in set(pairs))
    assert abs(len(dev) - share * len(pairs)) <= largest + 0.5


def test_exactly_the_share_of_different_texts_is_held_out() -> None:
    train, dev = hold_out([examples_of([(str(row), "x") for row in range(200)])], 0.1)[0]
    assert (len(train), len(dev)) == (180, 20)


def test_the_rows_are_drawn_from_the_whole_file_and_are_always_the_same() -> None:
    whole = examples_of([(str(row), "x") for row in range(50)])
    rows = [int(name) for name in hold_out([whole], 0.2)[0][1].ids]
    assert rows == [int(name) for name in hold_out([whole], 0.2)[0][1].ids]
    assert min(rows) < 25 <= max(rows)


def test_texts_that_differ_only_in_outer_blanks_are_equal() -> None:
    whole = examples_of([("a", "x"), (" a ", "x\n"), ("b", "x"), ("b", " x")])
    train, dev = hold_out([whole], 0.5)[0]
    assert {train.texts[0][0].strip(), dev.texts[0][0].strip()} == {"a", "b"}
    assert len(train) == len(dev) == 2


def test_pairs_with_different_second_texts_are_different() -> None:
    train, dev = hold_out([examples_of([("a", "x"), ("a", "y")])], 0.5)[0]
    assert len(train) == len(dev) == 1


@pytest.mark.parametrize("count", [1, 5])
def test_a_file_with_only_equal_texts_cannot_be_split(count: int) -> None:
    with pytest.raises(DataError, match="too few different texts") as caught:
        hold_out([examples_of([("a", "x")] * count)], 0.5)
    assert caught.value.where == "file.csv"


def test_a_draw_is_the_same_every_time_and_keeps_the_order_of_the_file() -> None:
    examples = examples_of([(f"text {number}", "x") for number in range(50)])
    drawn = draw(examples, 20)
    assert drawn.ids == draw(examples, 20).ids
    assert len(drawn) == 20
    assert list(drawn.lines) == sorted(drawn.lines)
    assert set(drawn.ids) < set(examples.ids)
    assert draw(examples, None) is examples
    assert draw(examples, 50) is examples


def grouped(groups: list[int], texts: list[str] | None = None) -> Examples:
    texts = [f"text {row}" for row in range(len(groups))] if texts is None else texts
    return replace(examples_of([(text, "") for text in texts]), groups=np.array(groups, np.int64))


@settings(deadline=None, max_examples=100)
@given(st.lists(st.integers(-5, 5), min_size=2, max_size=60).filter(lambda each: len(set(each)) > 1), SHARES)
def test_rows_of_one_group_are_on_one_side(groups: list[int], share: float) -> None:
    train, dev = hold_out([grouped(groups)], share)[0]
    assert len(train) + len(dev) == len(groups)
    assert len(train) > 0
    assert len(dev) > 0
    assert not set(train.groups.tolist()) & set(dev.groups.tolist())  # type: ignore[union-attr]


def test_groups_and_equal_texts_are_joined() -> None:
    """Group 1 has the text of group 2, so both are on one side."""
    sides = hold_out([grouped([1, 1, 2, 2, 3, 3], ["a", "b", "b", "c", "d", "e"])], 0.4)[0]
    found = {frozenset(side.groups.tolist()) for side in sides}  # type: ignore[union-attr]
    assert found == {frozenset({1, 2}), frozenset({3})}


def test_the_groups_of_one_task_are_respected_by_every_task_that_reads_the_file() -> None:
    groups = [row // 4 for row in range(40)]
    one, other = grouped(groups), replace(grouped(groups), groups=None)
    (_, dev), (_, same) = hold_out([one, other], 0.3)
    assert list(dev.ids) == list(same.ids)
    assert {groups[int(name)] for name in same.ids} == set(dev.groups.tolist())  # type: ignore[union-attr]
    assert len(dev) == 4 * len(set(dev.groups.tolist()))  # type: ignore[union-attr]


def test_one_group_cannot_be_divided() -> None:
    with pytest.raises(DataError, match="too few different texts and groups"):
        hold_out([grouped([1, 1, 1])], 0.3)


def test_groups_of_single_rows_change_no_split_of_different_texts() -> None:
    """The draw is over rows, and each row is a group of its own with and without the column."""
    whole = grouped(list(range(50)))
    plain = replace(whole, groups=None)
    assert list(hold_out([whole], 0.3)[0][1].ids) == list(hold_out([plain], 0.3)[0][1].ids)
