"""The kind of vectors: the form of rows, ranks of positives, and cosines."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from manyheads.tasks.kind import LabelError
from manyheads.tasks.kinds.embedding import TextEmbedding


def options(text: list[str], label: str | None = None, rows: str | None = None) -> SimpleNamespace:
    return SimpleNamespace(text=text, label=label, rows=rows)


def test_the_columns_give_the_form_of_the_rows() -> None:
    assert TextEmbedding.of(options(["a", "b"])) == TextEmbedding("pairs")
    assert TextEmbedding.of(options(["a", "b", "c"])) == TextEmbedding("triplets")
    assert TextEmbedding.of(options(["a", "b"], "score")) == TextEmbedding("scored")


@pytest.mark.parametrize(
    ("found", "key"),
    [
        (options(["a", "b"], rows="triplets"), "text"),
        (options(["a", "b", "c"], rows="pairs"), "text"),
        (options(["a", "b"], rows="scored"), "rows"),
        (options(["a", "b"], "score", rows="pairs"), "label"),
        (options(["a", "b", "c"], "score"), "text"),
    ],
)
def test_keys_that_do_not_fit_together_are_faults(found: SimpleNamespace, key: str) -> None:
    assert [fault.key for fault in TextEmbedding.faults(found)] == [key]


def test_a_rank_counts_the_candidates_that_are_nearer_to_the_anchor() -> None:
    angles = np.radians([0, 10, 90])
    positives = np.stack([np.cos(angles), np.sin(angles)], axis=1)
    anchors = np.array([[0.99, 0.1], [1.0, 0.0], [0.0, 1.0]])
    texts = np.array([[0, 10], [1, 11], [2, 12]])
    found = TextEmbedding("pairs").decode_split(np.concatenate([anchors, positives], axis=1), texts)
    assert found.values.tolist() == [2.0, 2.0, 1.0]


def test_equal_positives_are_one_candidate_and_other_positives_of_an_anchor_are_none() -> None:
    anchors = np.array([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    positives = np.array([[0.8, 0.6], [1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    outputs = np.concatenate([anchors, positives], axis=1)
    # The anchor of row 0 is that of row 1, whose positive is nearer.
    assert TextEmbedding("pairs").decode_split(outputs, np.array([[0, 5], [0, 6], [1, 6], [2, 7]])).values[0] == 1.0
    assert TextEmbedding("pairs").decode_split(outputs, np.array([[0, 5], [1, 6], [1, 6], [2, 7]])).values[0] == 2.0
    # The positive of row 3 is the anchor of row 0 itself.
    outputs[3, 2:] = [1.0, 0.0]
    assert TextEmbedding("pairs").decode_split(outputs, np.array([[0, 5], [0, 6], [0, 6], [2, 0]])).values[0] == 1.0


def test_ties_count_as_better_candidates() -> None:
    outputs = np.ones((4, 4))
    found = TextEmbedding("pairs").decode_split(outputs, np.arange(8).reshape(4, 2))
    assert found.values.tolist() == [4.0] * 4


def test_ranks_of_many_rows_are_those_of_a_plain_count() -> None:
    rng = np.random.default_rng(0)
    outputs = rng.standard_normal((600, 16))
    texts = np.stack([rng.integers(0, 300, 600), 1000 + np.arange(600)], axis=1)
    found = TextEmbedding("triplets").decode_split(outputs, texts).values
    anchors, positives = (each / np.linalg.norm(each, axis=1, keepdims=True) for each in np.split(outputs, 2, axis=1))
    cosines = anchors @ positives.T
    for row in range(0, 600, 37):
        others = [k for k in range(600) if texts[k, 0] != texts[row, 0]]
        assert found[row] == 1 + (cosines[row, others] > cosines[row, row]).sum()


def test_a_prediction_is_the_cosine() -> None:
    found = TextEmbedding("scored").decode(np.array([[3.0, 0.0, 2.0, 2.0]]))
    assert found.values == pytest.approx(np.sqrt([0.5]))
    texts = np.array([[0, 1]])
    assert TextEmbedding("scored").decode_split(np.array([[3.0, 0.0, 2.0, 2.0]]), texts).values == pytest.approx(
        np.sqrt([0.5])
    )


def test_rows_without_scores_have_no_label() -> None:
    assert (TextEmbedding("pairs").given, TextEmbedding("scored").given) == (1.0, None)
    with pytest.raises(LabelError, match="have none"):
        TextEmbedding("pairs").parse(1)
