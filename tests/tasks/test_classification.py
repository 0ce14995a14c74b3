"""Classification: comparing labels, and decoding logits to classes and probabilities."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from manyheads.errors import EncoderError
from manyheads.tasks.kind import LabelError
from manyheads.tasks.kinds.classification import Classification, sigmoid

FINITE = st.floats(-(2.0**100), 2.0**100, width=32)


@pytest.mark.parametrize("cell", ["0.0", 0, 0.0, "0", " 0 ", False, "false", "-0.0"])
def test_numeric_labels_compare_as_numbers(cell: object) -> None:
    assert Classification([1, 0]).parse(cell) == 1.0


@pytest.mark.parametrize("cell", ["true", "True", "TRUE", True, "1", 1])
def test_booleans_may_be_text_or_native(cell: object) -> None:
    assert Classification([False, True]).parse(cell) == 1.0


def test_text_labels_compare_exactly_after_stripping() -> None:
    kind = Classification(["negative", "positive"])
    assert kind.parse("  positive ") == 1.0
    with pytest.raises(LabelError, match="did you mean 'positive'"):
        kind.parse("Positive")


def test_names_that_python_reads_as_numbers_are_different_labels() -> None:
    kind = Classification(["1_2", "12", "nan"])
    assert [kind.parse(cell) for cell in ("12.0", "1_2", "nan")] == [1.0, 0.0, 2.0]


@pytest.mark.parametrize("cell", ["007", "7.00", "+7", "7e0", "1E2", "-0", "1_00", "\u0667"])
def test_a_number_in_another_spelling_is_not_the_label(cell: str) -> None:
    with pytest.raises(LabelError, match="is not one of"):
        Classification([0, 7, 100]).parse(cell)


def test_labels_that_differ_only_in_the_spelling_of_a_number_are_different_texts() -> None:
    kind = Classification(["1.1", "1.10", "2.0"])
    assert [kind.parse(cell) for cell in ("1.10", "1.1", "2.0", 2, "2")] == [1.0, 0.0, 2.0, 2.0, 2.0]
    assert Classification(["1", "1.0"]).parse("1.0") == 1.0
    assert Classification(["0123", "123", "1234567890123456789"]).parse(1234567890123456789) == 2.0


def test_labels_of_older_runs_that_are_texts_of_booleans_are_read_in_any_case() -> None:
    kind = Classification(["False", "True"])
    assert [kind.parse(cell) for cell in ("true", "True", False, "FALSE")] == [1.0, 1.0, 0.0, 0.0]
    assert Classification(["false", "true", "0", "1"]).parse("true") == 1.0


@pytest.mark.parametrize("cell", [["A", "B"], ["A"], {"A": 1}])
def test_a_cell_with_several_labels_is_refused(cell: object) -> None:
    with pytest.raises(LabelError, match="several labels in a cell"):
        Classification(["A", "B"]).parse(cell)


def test_an_unknown_label_is_reported_with_the_allowed_labels() -> None:
    with pytest.raises(LabelError) as caught:
        Classification([0, 1, 2]).parse("7")
    assert str(caught.value) == "label '7' is not one of 0, 1, 2"


def test_a_message_lists_the_first_ten_of_many_labels() -> None:
    with pytest.raises(LabelError) as caught:
        Classification(range(50)).parse("x" * 500)
    assert str(caught.value).endswith("is not one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ...")
    assert len(str(caught.value)) < 150


@pytest.mark.parametrize("cell", [None, "", "   ", float("nan")])
def test_a_missing_label_is_reported_as_missing(cell: object) -> None:
    with pytest.raises(LabelError, match="label is missing"):
        Classification([0, 1]).parse(cell)


@pytest.mark.parametrize(
    ("labels", "reason"),
    [
        ([], "at least two"),
        (["only"], "at least two"),
        ([0, 1, 0.0], "differ"),
        (["1", 1], "differ"),
        ([True, 1], "differ"),
        (["a", " a "], "differ"),
        (["a", " "], "blank"),
        (["a", float("nan")], "blank"),
    ],
)
def test_invalid_label_spaces_are_refused(labels: list[str | int | float | bool], reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        Classification(labels)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers() | st.floats(allow_nan=False), min_size=2, max_size=8, unique_by=float))
def test_every_label_is_parsed_as_itself(labels: list[float]) -> None:
    kind = Classification(labels)
    for index, label in enumerate(labels):
        assert kind.parse(label) == kind.parse(str(label)) == index
        assert kind.present(index) == label


def test_the_number_of_outputs_depends_on_the_loss() -> None:
    two, three = Classification(["no", "yes"]), Classification([0, 1, 2])
    assert dict(two.forms) == {"logit": 1, "logits": 2}
    assert dict(three.forms) == {"logits": 3}


def test_one_logit_is_of_the_second_class_and_a_tie_is_the_first_class() -> None:
    found = Classification([0, 1]).decode(np.array([[-2.0], [0.0], [1e-3], [3.0]], dtype=np.float32))
    assert found.values.tolist() == [0.0, 0.0, 1.0, 1.0]
    assert found.probabilities is not None
    assert found.probabilities[1].tolist() == [0.5, 0.5]


@settings(deadline=None, max_examples=50)
@given(arrays(np.float32, st.tuples(st.integers(0, 6), st.integers(2, 5)), elements=FINITE))
def test_probabilities_of_any_logits_sum_to_one_and_agree_with_the_class(logits: np.ndarray) -> None:
    found = Classification(range(logits.shape[1])).decode(logits)
    assert found.probabilities is not None
    assert found.values.dtype == found.probabilities.dtype == np.float64
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0, rtol=1e-12)
    assert found.values.tolist() == found.probabilities.argmax(axis=1).tolist()
    chosen = np.take_along_axis(logits, found.values.astype(int)[:, None], axis=1)[:, 0]
    np.testing.assert_allclose(chosen, logits.max(axis=1), rtol=1e-6, atol=1e-6)


@settings(deadline=None, max_examples=50)
@given(arrays(np.float32, st.integers(1, 8), elements=FINITE))
def test_one_logit_gives_the_same_probabilities_as_two(logits: np.ndarray) -> None:
    kind = Classification([0, 1])
    one = kind.decode(logits[:, None])
    two = kind.decode(np.stack([np.zeros_like(logits), logits], axis=1))
    assert one.probabilities is not None
    assert two.probabilities is not None
    np.testing.assert_allclose(one.probabilities, two.probabilities, atol=1e-12)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("columns", [1, 3])
def test_outputs_that_are_not_finite_are_refused(bad: float, columns: int) -> None:
    outputs = np.zeros((4, columns), dtype=np.float32)
    outputs[2, 0] = bad
    kind = Classification(range(max(2, columns)))
    with pytest.raises(EncoderError, match="1 of 4 examples"):
        kind.decode(outputs)


def test_the_sigmoid_of_large_values_does_not_overflow() -> None:
    x = np.array([-1e4, -30.0, 0.0, 30.0, 1e4])
    assert sigmoid(x).tolist() == pytest.approx([0.0, 9.3576e-14, 0.5, 1.0, 1.0], rel=1e-4)
    assert sigmoid(x)[1] > 0


def test_kinds_with_equal_labels_are_equal() -> None:
    assert Classification([0, 1]) == Classification((0, 1))
    assert hash(Classification([0, 1])) == hash(Classification((0, 1)))
    assert Classification([0, 1]) != Classification([1, 0])


def test_a_dash_among_words_is_warned_of_and_one_among_signs_is_not() -> None:
    (warning,) = Classification(["-", "no", "yes"]).warnings()
    assert 'labels = ["no", "yes"] and on_bad_rows = "skip"' in warning
    assert Classification(["+", "-"]).warnings() == []
    assert Classification(["-", "yes"]).warnings() == []
