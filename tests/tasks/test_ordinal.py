from __future__ import annotations

import numpy as np
import pytest
import torch

from manyheads.errors import DataError
from manyheads.model.losses import LOSSES, build_loss
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kinds.ordinal import Ordinal, OrdinalOptions

STARS = Ordinal([1, 2, 3, 4, 5])


def test_numbers_are_ordered_and_texts_must_be_listed() -> None:
    kind, note = Ordinal.infer(OrdinalOptions(), ["10", "2", "1.5", "2"], name="f", typed=False)
    assert kind == Ordinal([1.5, 2, 10])
    assert "3 labels found in f" in note
    with pytest.raises(DataError, match="order of the labels is unknown"):
        Ordinal.infer(OrdinalOptions(), ["low", "high", "middle"], name="f", typed=False)
    with pytest.raises(ValueError, match="an ordinal task needs at least three labels"):
        Ordinal([0, 1])


def test_numbers_in_no_order_give_a_warning() -> None:
    assert "list them from the lowest to the highest" in Ordinal([1, 3, 2]).warnings()[0]
    for labels in ([1, 2, 3], [5, 3, 1], ["low", "middle", "high"], ["1 star", "3 stars", "2 stars"]):
        assert not Ordinal(labels).warnings()


def test_corn_probabilities_are_products_of_conditional_ones_and_the_prediction_is_the_median() -> None:
    conditional = np.array([0.9, 0.8, 0.3, 0.5])
    found = STARS.decode(np.log(conditional / (1 - conditional))[None, :])
    above = np.cumprod(conditional)
    expected = [1 - above[0], above[0] - above[1], above[1] - above[2], above[2] - above[3], above[3]]
    np.testing.assert_allclose(found.probabilities, [expected])
    assert STARS.present(found.values[0]) == 3
    assert STARS.follows(found).all()
    assert not STARS.follows(Predictions(np.array([4.0]), found.probabilities)).any()


def test_a_place_between_two_labels_is_shared_between_them() -> None:
    share = 2.3 / 4
    found = STARS.decode(np.array([[np.log(share / (1 - share))]]))
    np.testing.assert_allclose(found.probabilities, [[0, 0, 0.7, 0.3, 0]], atol=1e-12)
    assert STARS.present(found.values[0]) == 3
    assert STARS.follows(found).all()


def test_the_corn_loss_is_the_sum_of_the_losses_up_to_the_label() -> None:
    logits = torch.tensor([[0.3, -1.0, 2.0, 0.1]])
    loss = build_loss(STARS, LOSSES["corn"].options(kind="corn"))
    sigmoid = torch.sigmoid(logits[0])
    for label in range(5):
        expected = -sum(torch.log(sigmoid[k]) for k in range(label))
        expected = expected - (torch.log(1 - sigmoid[label]) if label < 4 else 0)
        torch.testing.assert_close(loss(logits, torch.tensor([float(label)]))[0], torch.as_tensor(expected))


def test_the_size_of_an_error_is_a_number_of_labels() -> None:
    predictions = Predictions(np.array([0.0, 4.0, 2.0]), None)
    assert STARS.errors(predictions, np.array([0.0, 1.0, 3.0])).tolist() == [0, 3, 1]
