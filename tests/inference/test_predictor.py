"""The predictor returns predictions, and names invalid texts and tasks."""

from __future__ import annotations

import pytest

import manyheads
from manyheads.errors import DataError


@pytest.fixture(scope="module")
def model(trained: manyheads.Run) -> manyheads.Predictor:
    return manyheads.load(trained.folder.path)


def test_predicts_every_kind_of_task(model: manyheads.Predictor) -> None:
    (opinion,) = model.predict("sentiment", ["A fine film."])
    assert opinion.prediction in (0, 1, 2, 3, 4)
    assert opinion.probabilities is not None
    assert set(opinion.probabilities) == {"0", "1", "2", "3", "4"}
    (likeness,) = model.predict("similarity", [("a dog runs", "a cat sleeps")])
    assert likeness.probabilities is None
    assert isinstance(likeness.prediction, float)


def test_a_prediction_does_not_depend_on_the_other_texts(model: manyheads.Predictor) -> None:
    texts = ["A fine film.", "The soup was bad, but the room was wonderful.", "A fine film.", "slow " * 200]
    together = [each.probabilities for each in model.predict("sentiment", texts)]
    alone = [model.predict("sentiment", [text])[0].probabilities for text in texts]
    for left, right in zip(together, alone, strict=True):
        assert left == pytest.approx(right, abs=1e-5)


def test_no_texts_give_no_predictions(model: manyheads.Predictor) -> None:
    assert model.predict("sentiment", []) == []


def test_the_quantised_model_predicts_nearly_the_same(trained: manyheads.Run, model: manyheads.Predictor) -> None:
    quantised = manyheads.load(trained, int8=True)
    pairs = [("a dog runs", "a cat sleeps"), ("the soup is cold", "cold soup"), ("a", "b")]
    exact = [float(each.prediction) for each in model.predict("similarity", pairs)]
    rounded = [float(each.prediction) for each in quantised.predict("similarity", pairs)]
    assert exact != rounded
    assert rounded == pytest.approx(exact, abs=0.1)


def test_invalid_texts_and_tasks_are_named(model: manyheads.Predictor) -> None:
    with pytest.raises(DataError, match="did you mean 'sentiment'"):
        model.predict("sentimnt", ["x"])
    with pytest.raises(DataError, match="pair of strings"):
        model.predict("paraphrase", ["only one text"])
    with pytest.raises(DataError, match="item 1"):
        model.predict("sentiment", ["fine", "  "])
