"""Losses per example agree with values computed by hand and by torch."""

from __future__ import annotations

import dataclasses
import math

import pytest
import torch
from torch.nn import functional

from manyheads.model.losses import binary_cross_entropy, cross_entropy, l1, mse, task_loss
from manyheads.tasks.classification import Classification
from manyheads.tasks.regression import Regression
from manyheads.tasks.task import Task

TASK = Task(
    "sst", Classification([0, 1, 2]), ("text",), "label", None, None, "linear", 0.0, "cross_entropy", "accuracy"
)


def test_cross_entropy_is_minus_the_log_of_the_right_class() -> None:
    logits = torch.tensor([[0.0, 0.0, 0.0], [math.log(2.0), 0.0, 0.0]])
    losses = cross_entropy(logits, torch.tensor([2.0, 0.0]))
    torch.testing.assert_close(losses, torch.tensor([math.log(3.0), math.log(2.0)]))


def test_class_weights_multiply_terms_without_normalisation() -> None:
    logits, targets = torch.randn(6, 3), torch.tensor([0.0, 1.0, 2.0, 2.0, 1.0, 0.0])
    weights = torch.tensor([1.0, 0.0, 4.0])
    losses = cross_entropy(logits, targets, class_weights=weights)
    torch.testing.assert_close(losses, cross_entropy(logits, targets) * weights[targets.long()])
    torchs = functional.cross_entropy(logits, targets.long(), weight=weights)
    torch.testing.assert_close(losses.sum() / weights[targets.long()].sum(), torchs)


def test_binary_cross_entropy_of_one_logit_is_cross_entropy_of_two() -> None:
    logit, targets = torch.randn(8, 1), torch.tensor([0.0, 1.0] * 4)
    weights = torch.tensor([0.5, 3.0])
    both = torch.cat([torch.zeros_like(logit), logit], dim=1)
    for given in (None, weights):
        one = binary_cross_entropy(logit, targets, class_weights=given)
        torch.testing.assert_close(one, cross_entropy(both, targets, class_weights=given))


def test_large_logits_give_finite_losses() -> None:
    losses = binary_cross_entropy(torch.tensor([[1e4], [-1e4]]), torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(losses, torch.tensor([1e4, 1e4]))


def test_mse_is_in_squared_units_of_the_range() -> None:
    losses = mse(torch.tensor([[0.5], [-0.2]]), torch.tensor([4.5, 0.0]), value_range=(0.0, 5.0))
    torch.testing.assert_close(losses, torch.tensor([4.0, 1.0]))


def test_l1_of_values_is_in_units_of_the_range() -> None:
    losses = l1(torch.tensor([[0.5], [1.0]]), torch.tensor([2.0, -1.0]), value_range=(-1.0, 3.0))
    torch.testing.assert_close(losses, torch.tensor([1.0, 4.0]))


def test_l1_of_two_classes_is_the_distance_of_the_sigmoid() -> None:
    outputs, targets = torch.tensor([[0.0], [0.0], [math.log(3.0)]]), torch.tensor([0.0, 1.0, 1.0])
    torch.testing.assert_close(l1(outputs, targets), torch.tensor([0.5, 0.5, 0.25]))
    weighted = l1(outputs, targets, class_weights=torch.tensor([2.0, 10.0]))
    torch.testing.assert_close(weighted, torch.tensor([1.0, 5.0, 2.5]))


def test_a_task_s_loss_uses_its_range_and_its_class_weights() -> None:
    weighted = dataclasses.replace(TASK, class_weights=(1.0, 2.0, 3.0))
    logits, targets = torch.randn(3, 3), torch.tensor([0.0, 1.0, 2.0])
    plain = task_loss(TASK, logits, targets)
    torch.testing.assert_close(task_loss(weighted, logits, targets), plain * torch.tensor([1.0, 2.0, 3.0]))
    value = dataclasses.replace(TASK, kind=Regression(0, 5), loss="l1", metric="pearson")
    torch.testing.assert_close(task_loss(value, torch.tensor([[0.5]]), torch.tensor([2.0])), torch.tensor([0.5]))


def test_a_task_s_loss_does_not_include_its_loss_weight() -> None:
    logits, targets = torch.randn(3, 3), torch.tensor([0.0, 1.0, 2.0])
    heavy = dataclasses.replace(TASK, loss_weight=7.0)
    assert torch.equal(task_loss(heavy, logits, targets), task_loss(TASK, logits, targets))


@pytest.mark.parametrize("loss", [cross_entropy, binary_cross_entropy, mse, l1])
def test_float64_outputs_keep_their_precision(loss: object) -> None:
    outputs = torch.full((2, 2 if loss is cross_entropy else 1), 0.3, dtype=torch.float64)
    assert callable(loss)
    assert loss(outputs, torch.tensor([0.0, 1.0])).dtype == torch.float64
