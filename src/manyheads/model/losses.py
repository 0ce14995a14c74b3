"""The menu of losses, one number an example: the caller takes the mean over the examples that are there."""

from __future__ import annotations

from functools import lru_cache
from typing import Protocol

import torch
from torch import Tensor
from torch.nn import functional

from manyheads.tasks.task import Task


class Loss(Protocol):
    """Per-example losses.

    `outputs[n, k]` as the head gives them, `targets[n]` class indices or values; `value_range` is that of a
    regression, None for classes; `class_weights[classes]` multiply the terms of their classes. The mean over examples
    is then of weighted terms: it is not divided by the sum of the weights, as torch's own weighted mean is.
    """

    def __call__(
        self,
        outputs: Tensor,
        targets: Tensor,
        *,
        value_range: tuple[float, float] | None = None,
        class_weights: Tensor | None = None,
    ) -> Tensor:
        """Losses[n]."""


def cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    value_range: tuple[float, float] | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Cross-entropy of logits[n, classes]."""
    del value_range
    return _weighted(functional.cross_entropy(outputs, targets.long(), reduction="none"), targets, class_weights)


def binary_cross_entropy(
    outputs: Tensor,
    targets: Tensor,
    *,
    value_range: tuple[float, float] | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Binary cross-entropy of one logit[n, 1], that of the second class."""
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
    """Squared error of values, in squared units of the range."""
    del class_weights
    return (_values(outputs, value_range) - targets).square()


def l1(
    outputs: Tensor,
    targets: Tensor,
    *,
    value_range: tuple[float, float] | None = None,
    class_weights: Tensor | None = None,
) -> Tensor:
    """Absolute error: of values in a range, or of the second of two classes' probability (the reference's B1)."""
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
    """A task's per-example losses[n], before its `loss_weight`."""
    weights = None if task.class_weights is None else _on_device(tuple(task.class_weights), outputs.device)
    return LOSSES[task.loss](outputs, targets, value_range=task.kind.value_range, class_weights=weights)


@lru_cache(maxsize=256)
def _on_device(weights: tuple[float, ...], device: torch.device) -> Tensor:
    """Copied once: a copy within a step would make the device wait for the host."""
    return torch.tensor(weights, device=device)


def _values(outputs: Tensor, value_range: tuple[float, float] | None) -> Tensor:
    low, high = value_range or (0.0, 1.0)
    return low + (high - low) * outputs[:, 0]


def _weighted(losses: Tensor, targets: Tensor, class_weights: Tensor | None) -> Tensor:
    return losses if class_weights is None else losses * class_weights.to(losses.dtype)[targets.long()]
