"""Squared and absolute errors of values, or of the probability of the second of two classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from manyheads.model.losses.cross_entropy import weighted
from manyheads.model.losses.options import LossOptions
from manyheads.tasks.kind import Kind


def mse(kind: Kind, options: LossOptions, class_weights: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the squared error of values, in squared units of the range."""
    del options, class_weights

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return (_values(kind, outputs) - targets).square()

    return loss


def l1(kind: Kind, options: LossOptions, class_weights: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the absolute error of values, or of the probability of the second of two classes (the reference's B1)."""
    del options

    def of_values(outputs: Tensor, targets: Tensor) -> Tensor:
        return (_values(kind, outputs) - targets).abs()

    def of_probabilities(outputs: Tensor, targets: Tensor) -> Tensor:
        return weighted((torch.sigmoid(outputs[:, 0]) - targets).abs(), targets, class_weights)

    return of_values if kind.unit else of_probabilities


def _values(kind: Kind, outputs: Tensor) -> Tensor:
    low, high = kind.scale
    return low + (high - low) * outputs[:, 0]
