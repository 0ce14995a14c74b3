"""Arrays whose rows have lengths of their own."""

import numpy as np
import pytest

from manyheads.data.arrays import converted, gather
from manyheads.ragged import Ragged, RaggedStack, concatenated, differing, flat, same, stack
from manyheads.tasks.kind import known, label_count

ROWS = Ragged.of([[1, 2], [], [3], [4, 5, 6]])


def lists(rows: Ragged) -> list[list[float]]:
    return [row.tolist() for row in rows]


def test_rows_are_taken_by_number_mask_and_slice() -> None:
    assert len(ROWS) == 4
    assert ROWS[3].tolist() == ROWS[-1].tolist() == [4, 5, 6]
    assert lists(ROWS[np.array([3, 0, 3])]) == [[4, 5, 6], [1, 2], [4, 5, 6]]
    assert lists(ROWS[np.array([False, True, True, False])]) == [[], [3]]
    assert lists(ROWS[1:3]) == [[], [3]]
    assert lists(ROWS[np.zeros(0, dtype=np.int64)]) == []
    with pytest.raises(IndexError):
        ROWS[4]


def test_sums_and_owners_belong_to_the_rows() -> None:
    assert ROWS.lengths.tolist() == [2, 0, 1, 3]
    assert ROWS.owners.tolist() == [0, 0, 2, 3, 3, 3]
    assert ROWS.sums(ROWS.values).tolist() == [3, 0, 3, 15]


def test_rows_are_gathered_and_converted_in_scratch_space() -> None:
    wide = Ragged(np.arange(12).reshape(6, 2), ROWS.offsets)
    taken = gather(wide, np.array([2, 3], dtype=np.int64))
    assert same(taken, wide[np.array([2, 3])])
    assert converted(ROWS, np.float32).values.dtype == np.float32


def test_an_example_without_numbers_has_no_target() -> None:
    targets = Ragged.of([[0, np.nan], [], [np.nan, np.nan], [1, 2]])
    assert known(targets).tolist() == [True, False, False, True]
    assert label_count(targets) == 3
    assert label_count(np.array([[1, 0], [np.nan, np.nan]])) == 1


def test_a_stack_has_the_rows_of_several_runs() -> None:
    runs = stack([ROWS, ROWS.astype(np.float64)])
    assert isinstance(runs, RaggedStack)
    assert runs.shape == (2, 4)
    assert same(runs[1], ROWS)
    assert lists(runs[:, np.array([False, False, True, True])][0]) == [[3], [4, 5, 6]]
    assert [same(each, ROWS) for each in runs] == [True, True]
    with pytest.raises(ValueError, match="different lengths"):
        stack([ROWS, ROWS[1:]])


def test_rows_are_joined_and_compared() -> None:
    assert lists(concatenated([ROWS[:1], ROWS[2:]])) == [[1, 2], [3], [4, 5, 6]]
    other = Ragged.of([[1, 9], [], [3], [7, 5, 8]])
    assert differing(ROWS, other).tolist() == [1, 0, 0, 2]
    assert differing(np.array([[1.0, 0], [1, 1]]), np.array([[1.0, 0], [0, 3]])).tolist() == [0, 3]
    assert not same(ROWS, Ragged(ROWS.values, Ragged.of([[0], [0, 0], [], [0, 0, 0]]).offsets))
    assert flat(ROWS).tolist() == [1, 2, 3, 4, 5, 6]
