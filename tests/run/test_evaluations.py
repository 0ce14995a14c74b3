"""The file with the predictions of every evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from manyheads.ragged import Ragged, same, stack
from manyheads.run.evaluations import Evaluations, read_evaluations, with_evaluation, write_evaluations


def evaluation(step: int, value: float) -> Evaluations:
    return Evaluations(
        ids=("a", "ü", "c"),
        targets=np.array([0, 1, np.nan], np.float32),
        clusters=np.array([0, 0, 1]),
        epochs=np.array([step / 10]),
        steps=np.array([step]),
        values=np.full((1, 3), value, np.float32),
    )


def test_what_is_written_is_read_and_equal_bytes_are_written(tmp_path: Path) -> None:
    one = with_evaluation(evaluation(10, 1.0), evaluation(20, 2.0), [1.0, 2.0], [10, 20])
    for name in ("a.npz", "b.npz"):
        write_evaluations(tmp_path / name, one)
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    found = read_evaluations(tmp_path / "a.npz")
    assert found.ids == one.ids
    np.testing.assert_array_equal(found.values, [[1, 1, 1], [2, 2, 2]])
    np.testing.assert_array_equal(found.steps, [10, 20])
    np.testing.assert_array_equal(found.targets, one.targets)


def test_arrays_that_files_share_are_read_once(tmp_path: Path) -> None:
    known: dict[bytes, object] = {}
    write_evaluations(tmp_path / "a.npz", evaluation(10, 1.0))
    write_evaluations(tmp_path / "b.npz", evaluation(10, 2.0))
    write_evaluations(tmp_path / "c.npz", replace(evaluation(10, 3.0), ids=("a", "b", "c")))
    one, two, three = (read_evaluations(tmp_path / f"{name}.npz", known) for name in "abc")
    assert one.ids is two.ids
    assert three.ids == ("a", "b", "c")
    assert [float(each.values[0, 0]) for each in (one, two, three)] == [1, 2, 3]
    np.testing.assert_array_equal(two.targets, read_evaluations(tmp_path / "b.npz").targets)


def test_a_resumed_run_drops_what_it_repeats_and_marks_what_was_lost() -> None:
    three = with_evaluation(
        with_evaluation(evaluation(10, 1.0), evaluation(20, 2.0), [1.0, 2.0], [10, 20]),
        evaluation(30, 3.0),
        [1.0, 2.0, 3.0],
        [10, 20, 30],
    )
    again = with_evaluation(three, evaluation(20, 5.0), [1.0, 2.0], [10, 20])
    np.testing.assert_array_equal(again.values[:, 0], [1, 5])
    lost = with_evaluation(None, evaluation(20, 5.0), [1.0, 2.0], [10, 20])
    assert np.isnan(lost.values[0]).all()


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no", b"text"])
def test_a_damaged_file_is_an_error(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "a.npz"
    file.write_bytes(content)
    with pytest.raises((ValueError, OSError)):
        read_evaluations(file)
    write_evaluations(file, replace(evaluation(1, 1.0), clusters=np.zeros(2, np.int64)))
    with pytest.raises(ValueError, match="different sizes"):
        read_evaluations(file)


def test_any_changed_byte_is_an_error_or_changes_nothing(tmp_path: Path) -> None:
    file = tmp_path / "a.npz"
    write_evaluations(file, evaluation(1, 1.0))
    whole = file.read_bytes()
    for place in range(len(whole)):
        file.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        try:
            found = read_evaluations(file)
        except ValueError:
            continue
        write_evaluations(tmp_path / "b.npz", found)
        assert (tmp_path / "b.npz").read_bytes() == whole, place


def test_probabilities_are_kept_and_those_of_lost_evaluations_are_missing(tmp_path: Path) -> None:
    shares = np.array([[[0.25, 0.75], [1.0, 0.0], [0.5, 0.5]]], dtype=np.float32)
    first, second = evaluation(10, 1.0), replace(evaluation(20, 2.0), probabilities=shares)
    file = tmp_path / "a.npz"
    write_evaluations(file, with_evaluation(first, second, [1.0, 2.0], [10, 20]))
    found = read_evaluations(file)
    assert found.probabilities is not None
    assert np.isnan(found.probabilities[0]).all()
    np.testing.assert_array_equal(found.probabilities[1], shares[0])
    again = with_evaluation(found, replace(evaluation(30, 3.0), probabilities=shares), [2.0, 3.0], [20, 30])
    assert again.probabilities is not None
    np.testing.assert_array_equal(again.probabilities, np.concatenate([shares, shares]))
    write_evaluations(file, replace(found, probabilities=shares))
    with pytest.raises(ValueError, match="different sizes: probabilities"):
        read_evaluations(file)


def ragged(step: int, values: list[float]) -> Evaluations:
    """Three examples of two words, no word, and one word. The first has no target."""
    return Evaluations(
        ids=("a", "b", "c"),
        targets=Ragged.of([[], [], [1]], np.float32),
        clusters=np.array([0, 1, 2]),
        epochs=np.array([step / 10]),
        steps=np.array([step]),
        values=stack([Ragged.of([values[:2], [], values[2:]], np.float32)]),
        probabilities=stack([Ragged.of([[0.5, 0.75], [], [1]], np.float32)]),
    )


def test_ragged_arrays_are_read_with_their_offsets(tmp_path: Path) -> None:
    both = with_evaluation(ragged(10, [1, 2, 3]), ragged(20, [4, 5, 6]), [1.0, 2.0], [10, 20])
    write_evaluations(tmp_path / "a.npz", both)
    found = read_evaluations(tmp_path / "a.npz")
    assert [[row.tolist() for row in each] for each in found.values] == [[[1, 2], [], [3]], [[4, 5], [], [6]]]
    assert same(found.targets, both.targets)
    assert found.probabilities is not None
    assert found.probabilities[1][0].tolist() == [0.5, 0.75]
    assert found.clusters_of(["c"]) is not None
    assert found.at([1.0, 5.0], [10, 50]).values.shape == (2, 3)


def test_ragged_arrays_whose_offsets_do_not_fit_are_damaged(tmp_path: Path) -> None:
    write_evaluations(tmp_path / "a.npz", ragged(10, [1, 2, 3]))
    with np.load(tmp_path / "a.npz") as content:
        arrays = dict(content)
    arrays["value_offsets"] = np.array([0, 2, 2, 4])
    np.savez_compressed(tmp_path / "b.npz", **arrays)
    with pytest.raises(ValueError, match="different sizes"):
        read_evaluations(tmp_path / "b.npz")
