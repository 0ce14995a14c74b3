from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.reading import open_source
from manyheads.errors import DataError
from manyheads.recipe.schema import TaskOptions, task_model
from manyheads.recipe.tasks import label_cells, label_space
from manyheads.tasks.cells import ClassName, alike_warnings
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import range_among
from manyheads.tasks.labels import labels_among


def _options() -> TaskOptions:
    table = {"kind": "classification", "train": "a", "dev": 0.1, "text": "text", "label": "label"}
    return task_model("classification").model_validate(table)


def test_numbers_are_sorted_by_value_and_texts_follow_in_alphabetical_order() -> None:
    assert labels_among("f", ["10", "2.0", " 9 ", "0.5", "b", " a "]) == (0.5, 2, 9, 10, "a", "b")
    assert labels_among("f", [True, False, True]) == (False, True)


def test_equal_numbers_are_one_label_and_any_other_spelling_is_a_label_of_its_own() -> None:
    assert labels_among("f", ["1", 1, 1.0, "0", "0.0"]) == (0, 1)
    assert labels_among("f", ["007", "010", "100", "1E2", "7"]) == (7, 100, "007", "010", "1E2")
    assert labels_among("f", ["1.1", "1.10", "+1", "-0", "1_0"]) == (1.1, "+1", "-0", "1.10", "1_0")
    ids = ["1234567890123456789", "1234567890123456788", "12345678901234567890"]
    assert [str(label) for label in labels_among("f", ids)] == [ids[1], ids[0], ids[2]]


def test_text_of_a_typed_column_stays_text() -> None:
    assert labels_among("f", ["1.1", "1.10", "2.0"], typed=True) == ("1.1", "1.10", "2.0")
    assert labels_among("f", ["0123", "123"], typed=True) == ("0123", "123")
    assert labels_among("f", ["true", "false"], typed=True) == ("false", "true")
    assert labels_among("f", ["1", 1, "b"], typed=True) == (1, "b")


@pytest.mark.parametrize("cells", [["True", "false", "TRUE"], ["true", "false"], [True, False], ["False", "True"]])
def test_a_column_of_booleans_has_the_same_labels_in_any_spelling(cells: list[object]) -> None:
    labels = labels_among("f", cells)
    assert labels == (False, True)
    assert [type(label) for label in labels] == [bool, bool]


def test_named_classes_keep_the_order_of_the_data_set() -> None:
    cells = [ClassName("good", 1), ClassName("bad", 0), ClassName("good", 1)]
    labels = labels_among("f", cells, typed=True)
    assert labels == ("bad", "good")
    assert {type(label) for label in labels} == {str}
    assert Classification([0, 1]).parse(ClassName("good", 1)) == 1.0


@pytest.mark.parametrize(
    "pair",
    [("Pos", "pos"), ("caf\u00e9", "cafe\u0301"), ("a\u200bb", "ab"), ("a  b", "a b"), (7, "007"), (100, "1E2")],
)
def test_labels_that_look_alike_are_named(pair: tuple[str | int, str]) -> None:
    (warning,) = alike_warnings([*pair, "other", 8])
    for label in pair:
        assert repr(label) in warning
    assert alike_warnings(["a", "b", "ab", 1, 2, 1.5, 1234567890123456789, 1234567890123456788]) == []


def test_a_cell_with_several_labels_is_refused_with_its_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "label": ["A", "B"]}\n{"text": "y", "label": ["A"]}\n')
    with pytest.raises(DataError, match="several labels in a cell") as caught:
        label_space(_options(), open_source("a.jsonl", tmp_path))
    assert caught.value.where == f"{tmp_path / 'a.jsonl'}:1"
    assert labels_among("f", [["A", "B"], "A", "B"], typed=True) == ("A", "B")


CELLS = (
    st.booleans() | st.integers(-9, 9) | st.floats(-9, 9) | st.text("abT1. ", min_size=1) | st.sampled_from(["true"])
)


@settings(deadline=None, max_examples=200)
@given(st.lists(CELLS, min_size=2), st.booleans())
def test_a_classification_with_the_labels_reads_every_cell(cells: list[object], typed: bool) -> None:
    cells = [cell for cell in cells if str(cell).strip()]
    try:
        labels = labels_among("f", cells, typed=typed)
    except DataError:
        return
    kind = Classification(labels)
    assert {kind.parse(cell) for cell in cells} == set(map(float, range(len(kind.labels))))


def test_one_label_and_too_many_labels_are_errors() -> None:
    with pytest.raises(DataError, match="fewer than two labels"):
        labels_among("f", ["a", "a"])
    with pytest.raises(DataError, match="too many different values"):
        labels_among("f", [f"text {number}" for number in range(1001)])


def test_the_range_reaches_from_the_lowest_to_the_highest_number() -> None:
    assert range_among("f", ["3", "0.5", "nothing", 4]) == (0.5, 4)
    for cells in (["1", "1.0"], ["a"], []):
        with pytest.raises(DataError, match="two different numbers"):
            range_among("f", cells)


def test_labels_that_are_no_plain_numbers_are_quoted_with_what_to_do() -> None:
    for cell in ("$12.50", "45%"):
        with pytest.raises(DataError) as caught:
            range_among("f", ["", cell])
        assert caught.value.found == f"no number; the first cell is {cell!r}"
        assert str(caught.value.hint).startswith("write labels as plain numbers")
    with pytest.raises(DataError) as caught:
        range_among("f", ["1,5", "2,5"])
    assert 'decimal = ","' in str(caught.value.hint)


def test_missing_cells_are_skipped(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text,label\nx,1\ny,\nz,2\nbroken\n")
    assert list(label_cells(open_source("a.csv", tmp_path), ["label"])) == ["1", "2"]
