"""The menu of losses. Each returns one number per example. The caller takes the mean over the examples of the batch."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from manyheads.tasks.task import Task


class Loss(Protocol):
    """Losses per example.

    `outputs[n, k]`: the head's outputs. `targets[n]`: class indices or values. `value_range`: the range of a
    regression, None for classes. `class_weights[classes]`: factors of the terms of each class. The caller's mean is
    divided by the number of examples, not by the sum of the weights as torch's own weighted mean is.
    """

    def __call__(
        self,
        outputs: Tensor,
        targets: Tensor,
        *,
        value_range: tuple[float, float] | None = None,
        class_weights: Tensor | None = None,
    ) -> Tensor:
        """Return losses[n]."""


def cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    value_range: tuple[float, float] | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Compute the cross-entropy of logits[n, classes]."""
    del value_range
    return _weighted(functional.cross_entropy(outputs, targets.long(), reduction="none"), targets, class_weights)


def binary_cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    value_range: tuple[float, float] | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Compute the binary cross-entropy of one logit[n, 1], the logit of the second class."""
    del value_range
    losses = functional.binary_cross_entropy_with_logits(outputs[:, 0], targets.to(outputs.dtype), reduction="none")
    return _weighted(losses, targets, class_weights)


def mse(
    outputs: Tensor,
    targets: Tensor,
    *,
    value_range: tuple[float, float] | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Compute the squared error of values, in squared units of the range."""
    del class_weights
    return (_values(outputs, value_range) - targets).square()


def l1(
    outputs: Tensor,
    targets: Tensor,
    *,
    value_range: tuple[float, float] | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Compute the absolute error of values, or of the probability of the second of two classes (the reference's B1)."""
    if value_range is not None:
        return (_values(outputs, value_range) - targets).abs()
    return _weighted((torch.sigmoid(outputs[:, 0]) - targets).abs(), targets, class_weights)


LOSSES: dict[str, Loss] = {
    "cross_entropy": cross_entropy,
    "binary_cross_entropy": binary_cross_entropy,
    "mse": mse,
    "l1": l1,
}


def task_loss(task: Task, outputs: Tensor, targets: Tensor) -> Tensor:
    """Return a task's losses[n] per example, before its `loss_weight`."""
    weights = None if task.class_weights is None else _on_device(tuple(task.class_weights), outputs.device)
    return LOSSES[task.loss](outputs, targets, value_range=task.kind.value_range, class_weights=weights)


@lru_cache(maxsize=256)
def _on_device(weights: tuple[float, ...], device: torch.device) -> Tensor:
    """Copy the weights to a device once. A copy within a step would make the device wait for the host."""
    return torch.tensor(weights, device=device)


def _values(outputs: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = value_range or (0.0, 1.0)
    return low + (high - low) * outputs[:, 0]


def _weighted(losses: Tensor, targets: Tensor, class_weights: Tensor | None) -> Tensor:
    return losses if class_weights is None else losses * class_weights.to(losses.dtype)[targets.long()]
