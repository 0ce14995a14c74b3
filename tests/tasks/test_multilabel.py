from __future__ import annotations

import numpy as np
import pytest

from manyheads.errors import DataError
from manyheads.tasks.cells import label_cell
from manyheads.tasks.kind import LabelError
from manyheads.tasks.kinds.multilabel import Multilabel, MultilabelOptions

KIND = Multilabel(["joy", "fear", "sad; blue"])


@pytest.mark.parametrize(
    ("cell", "labels"),
    [
        (["joy", "fear"], ["joy", "fear"]),
        ("fear;joy", ["joy", "fear"]),
        ("fear | joy", ["joy", "fear"]),
        ("joy,fear,joy", ["joy", "fear"]),
        ('["fear"]', ["fear"]),
        ("sad; blue", ["sad; blue"]),
        ([], []),
        ("[]", []),
        ({"fear": 1, "joy": 0}, ["fear"]),
        ({"fear": True, "joy": 1.0, "sad; blue": None}, ["joy", "fear"]),
        ('{"fear": 1, "joy": 0}', ["fear"]),
        ("{'joy': 1, 'fear': False}", ["joy"]),
        ([0, 1, 1], ["fear", "sad; blue"]),
        ("[1.0, 0.0, 0.0]", ["joy"]),
    ],
)
def test_the_labels_of_a_cell_are_read_in_every_form(cell: object, labels: list[str]) -> None:
    assert KIND.present(KIND.parse(cell)) == labels


def test_the_keys_of_an_object_are_labels_in_any_order() -> None:
    cells = [{"joy": 1, "fear": 0}, {"fear": 1, "joy": 0, "calm": 0}]
    kind, _ = Multilabel.infer(MultilabelOptions(), cells, name="f", typed=True)
    assert list(kind.labels) == ["calm", "fear", "joy"]
    assert [kind.present(kind.parse(cell)) for cell in cells] == [["joy"], ["fear"]]
    with pytest.raises(LabelError, match="'joy' is not 0 or 1"):
        kind.parse({"joy": 0.5})
    with pytest.raises(LabelError, match="did you mean 'joy'"):
        kind.parse({"jov": 1})


def test_a_missing_label_in_a_list_is_named() -> None:
    with pytest.raises(LabelError, match=r"a label in .* is missing"):
        KIND.parse(["joy", None])
    kind, _ = Multilabel.infer(MultilabelOptions(), [["joy", None], ["fear"]], name="f", typed=True)
    assert list(kind.labels) == ["fear", "joy"]


def test_lists_of_zeros_and_ones_do_not_name_their_labels() -> None:
    cells = [[0, 1, 0], [1, 0, 0]]
    with pytest.raises(DataError, match="do not name their labels") as caught:
        Multilabel.infer(MultilabelOptions(), cells, name="f", typed=True)
    assert caught.value.found == "lists of 3 numbers, each 0 or 1"
    kind, _ = Multilabel.infer(MultilabelOptions(), [[0, 1], [2]], name="f", typed=True)
    assert kind.parse([0, 1]).tolist() == [1, 1, 0]
    numbers = Multilabel([0, 1])
    assert numbers.present(numbers.parse([0, 0])) == [0]


def test_numbers_with_commas_are_labels_of_a_headerless_file() -> None:
    kind, note = Multilabel.infer(MultilabelOptions(), ["27", "3,10", "3"], name="f", typed=False)
    assert list(kind.labels) == [3, 10, 27]
    assert kind.parse("3,27").tolist() == [1, 0, 1]
    assert "3 labels found in f" in note


def test_an_own_separator_leaves_the_usual_ones_alone() -> None:
    kind, _ = Multilabel.infer(MultilabelOptions(separator=" / "), ["a,b / c", "c"], name="f", typed=False)
    assert list(kind.labels) == ["a,b", "c"]
    assert kind.parse("c / a,b").tolist() == [1, 1]
    assert kind.space() == {"labels": ["a,b", "c"], "separator": " / "}


def test_an_unknown_label_in_a_list_is_named_with_the_nearest_one() -> None:
    with pytest.raises(LabelError, match="did you mean 'fear'"):
        KIND.parse("joy;feer")
    for cell in (None, "", "  "):
        with pytest.raises(LabelError, match="label is missing") as found:
            KIND.parse(cell)
        assert found.value.hint == "write [] for a text without labels"


def test_one_column_per_label_has_zeros_and_ones() -> None:
    columns = ("joy", "fear")
    kind, _ = Multilabel.infer(
        MultilabelOptions(), [label_cell({"joy": "1", "fear": "0"}, columns)], name="f", typed=False
    )
    assert list(kind.labels) == ["joy", "fear"]
    for cells, target in (
        (("0", "1"), [0, 1]),
        ((1, 0.0), [1, 0]),
        ((True, False), [1, 0]),
        (("True", "false"), [1, 0]),
    ):
        assert kind.parse(label_cell(dict(zip(columns, cells, strict=True)), columns)).tolist() == target
    with pytest.raises(LabelError, match="in column 'fear' is not 0 or 1"):
        kind.parse(label_cell({"joy": 1, "fear": "2"}, columns))
    with pytest.raises(LabelError, match="missing in column 'joy'"):
        kind.parse(label_cell({"joy": "", "fear": "1"}, columns))
    assert label_cell({"joy": "", "fear": None}, columns) is None


def test_thresholds_decide_which_labels_are_predicted() -> None:
    outputs = np.log(np.array([[0.4, 0.6]]) / np.array([[0.6, 0.4]]))
    assert Multilabel(["a", "b"]).decode(outputs).values.tolist() == [[0, 1]]
    assert Multilabel(["a", "b"], threshold=0.3).decode(outputs).values.tolist() == [[1, 1]]
    assert Multilabel(["a", "b"], threshold=[0.3, 0.7]).decode(outputs).values.tolist() == [[1, 0]]
    for wrong in (0.0, 1.0, [0.5], [0.5, 2.0]):
        with pytest.raises(ValueError, match="threshold"):
            Multilabel(["a", "b"], threshold=wrong)


def test_held_out_rows_are_stratified_by_the_rarest_label() -> None:
    targets = np.array([[1, 0, 0], [1, 1, 0], [1, 0, 1], [0, 0, 0], [1, 1, 0]], dtype=float)
    assert KIND.strata(targets).tolist() == [0, 1, 2, 3, 1]
    assert KIND.counts(targets) == {"joy": 4, "fear": 2, "sad; blue": 1}
