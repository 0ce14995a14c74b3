"""Losses per example agree with values computed by hand and by torch."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from manyheads.model.losses import LOSSES, build_loss
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression

CLASSES = Classification([0, 1, 2])


def _loss(
    name: str, outputs: Tensor, targets: Tensor, kind: Kind = CLASSES, weights: Tensor | None = None, **options: float
) -> Tensor:
    table = LOSSES[name].options.model_validate({"kind": name, **options})
    return build_loss(kind, table, None if weights is None else tuple(weights.tolist()))(outputs, targets)


def test_cross_entropy_is_minus_the_log_of_the_right_class() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [math.log(2.0), 0.0, 0.0]])
    losses = _loss("cross_entropy", logits, torch.tensor([2.0, 0.0]))
    torch.testing.assert_close(losses, torch.tensor([math.log(3.0), math.log(2.0)]))


def test_class_weights_multiply_terms_without_normalisation() -> None:
    logits, targets = torch.randn(6, 3), torch.tensor([0.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    weights = torch.tensor([1.0, 0.0, 4.0])
    losses = _loss("cross_entropy", logits, targets, weights=weights)
    torch.testing.assert_close(losses, _loss("cross_entropy", logits, targets) * weights[targets.long()])
    torchs = functional.cross_entropy(logits, targets.long(), weight=weights)
    torch.testing.assert_close(losses.sum() / weights[targets.long()].sum(), torchs)


def test_binary_cross_entropy_of_one_logit_is_cross_entropy_of_two() -> None:
    logit, targets = torch.randn(8, 1), torch.tensor([0.0, 1.0] * 4)
    weights = torch.tensor([0.5, 3.0])
    both = torch.cat([torch.zeros_like(logit), logit], dim=1)
    for given in (None, weights):
        one = _loss("binary_cross_entropy", logit, targets, weights=given)
        torch.testing.assert_close(one, _loss("cross_entropy", both, targets, weights=given))


def test_large_logits_give_finite_losses() -> None:
    losses = _loss("binary_cross_entropy", torch.tensor([[1e4], [-1e4]]), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(losses, torch.tensor([1e4, 1e4]))


def test_mse_is_in_squared_units_of_the_range() -> None:
    losses = _loss("mse", torch.tensor([[0.5], [-0.2]]), torch.tensor([4.5, 0.0]), kind=Regression(0, 5))
    torch.testing.assert_close(losses, torch.tensor([4.0, 1.0]))


def test_l1_of_values_is_in_units_of_the_range() -> None:
    losses = _loss("l1", torch.tensor([[0.5], [1.0]]), torch.tensor([2.0, -1.0]), kind=Regression(-1, 3))
    torch.testing.assert_close(losses, torch.tensor([1.0, 4.0]))


def test_l1_of_two_classes_is_the_distance_of_the_sigmoid() -> None:
    outputs, targets = torch.tensor([[0.0], [0.0], [math.log(3.0)]]), torch.tensor([0.0, 1.0, 1.0])
    torch.testing.assert_close(_loss("l1", outputs, targets), torch.tensor([0.5, 0.5, 0.25]))
    weighted = _loss("l1", outputs, targets, weights=torch.tensor([2.0, 10.0]))
    torch.testing.assert_close(weighted, torch.tensor([1.0, 5.0, 2.5]))


@pytest.mark.parametrize(
    "loss", [name for name, entry in LOSSES.items() if {"vectors", "triplets"}.isdisjoint(entry.forms.values())]
)
def test_float64_outputs_keep_their_precision(loss: str) -> None:
    outputs = torch.full((2, 2 if loss == "cross_entropy" else 1), 0.3, dtype=torch.float64)
    of_rows = {"offsets": torch.tensor([0, 2])} if "scores" in LOSSES[loss].forms.values() else {}
    function = build_loss(CLASSES, LOSSES[loss].options.model_validate({"kind": loss}), None)
    assert function(outputs, torch.tensor([0.0, 1.0]), **of_rows).dtype == torch.float64


def test_label_smoothing_is_that_of_torch_and_agrees_between_one_and_two_logits() -> None:
    logits, targets = torch.randn(6, 3), torch.tensor([0.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    expected = functional.cross_entropy(logits, targets.long(), reduction="none", label_smoothing=0.2)
    torch.testing.assert_close(_loss("cross_entropy", logits, targets, label_smoothing=0.2), expected)
    logit, two = torch.randn(4, 1), torch.tensor([0.0, 1.0, 1.0, 0.0])
    both = torch.cat([torch.zeros_like(logit), logit], dim=1)
    one = _loss("binary_cross_entropy", logit, two, label_smoothing=0.2)
    torch.testing.assert_close(one, _loss("cross_entropy", both, two, label_smoothing=0.2))


def test_the_focal_loss_multiplies_by_the_power_of_the_missing_probability() -> None:
    logits, targets = torch.randn(6, 3), torch.tensor([0.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    plain = _loss("cross_entropy", logits, targets)
    torch.testing.assert_close(_loss("cross_entropy", logits, targets, gamma=2.0), (1 - (-plain).exp()) ** 2 * plain)
    certain = torch.tensor([[50.0, 0.0, 0.0]]).requires_grad_()
    _loss("cross_entropy", certain, torch.tensor([0.0]), gamma=0.5).sum().backward()
    assert certain.grad is not None
    assert torch.isfinite(certain.grad).all()
