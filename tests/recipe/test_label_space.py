from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manyheads.data.reading import open_source
from manyheads.errors import DataError
from manyheads.recipe.label_space import label_cells, labels_among, range_among
from manyheads.tasks.classification import Classification, canonical


def test_numbers_are_sorted_by_value_and_texts_follow_in_alphabetical_order() -> None:
    assert labels_among("f", ["10", "2.0", " 9 ", "0.5", "b", " a "]).labels == (0.5, 2, 9, 10, "a", "b")
    assert labels_among("f", [True, False, True]).labels == (False, True)


def test_spellings_of_one_label_are_one_label() -> None:
    assert labels_among("f", ["True", "true", "False", "1", "0.0"]).labels == ("False", "True")
    assert labels_among("f", ["1", 1, 1.0, "0"]).labels == (0, 1)


@settings(deadline=None, max_examples=80)
@given(st.lists(st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("abT1. ", min_size=1), min_size=2))
def test_a_classification_with_the_labels_reads_every_cell(cells: list[object]) -> None:
    cells = [cell for cell in cells if str(cell).strip()]
    assume(len({canonical(cell) for cell in cells}) > 1)
    kind = Classification(labels_among("f", cells).labels or ())
    assert {kind.parse(cell) for cell in cells} == set(map(float, range(len(kind.labels))))


def test_one_label_and_too_many_labels_are_errors() -> None:
    with pytest.raises(DataError, match="fewer than two labels"):
        labels_among("f", ["a", "a"])
    with pytest.raises(DataError, match="too many different values"):
        labels_among("f", [f"text {number}" for number in range(1001)])


def test_the_range_reaches_from_the_lowest_to_the_highest_number() -> None:
    space = range_among("f", ["3", "0.5", "nothing", 4])
    assert space.value_range == (0.5, 4)
    assert space.notes == ("range 0.5 to 4, found in f",)
    for cells in (["1", "1.0"], ["a"], []):
        with pytest.raises(DataError, match="two different numbers"):
            range_among("f", cells)


def test_missing_cells_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,1\ny,\nz,2\nbroken\n")
    assert list(label_cells(open_source("a.csv", tmp_path), "label")) == ["1", "2"]
