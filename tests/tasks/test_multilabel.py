from __future__ import annotations

import numpy as np
import pytest

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
    ],
)
def test_the_labels_of_a_cell_are_read_in_every_form(cell: object, labels: list[str]) -> None:
    assert KIND.present(KIND.parse(cell)) == labels


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
        with pytest.raises(LabelError, match="label is missing"):
            KIND.parse(cell)


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
        kind.parse({"joy": 1, "fear": "2"})
    with pytest.raises(LabelError, match="missing in column 'joy'"):
        kind.parse({"joy": "", "fear": "1"})
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
