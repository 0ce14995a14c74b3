"""Losses for labels that are in an order."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from manyheads.model.losses.cross_entropy import weighted
from manyheads.model.losses.options import LossOptions
from manyheads.tasks.kind import Kind


def corn(kind: Kind, options: LossOptions, class_weights: Tensor | None) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the CORN loss of logits[n, labels - 1].

    Logit k is that of a label above k, given that it is at least k. Each example trains the logits up to its own label.
    The losses of an example are added; the paper's mean over all of them is proportional to the mean of these sums.
    Source: Shi, Cao and Raschka (2021), "Deep Neural Networks for Rank-Consistent Ordinal Regression Based On
    Conditional Probabilities", section 3.4.
    """
    del kind, options

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        steps = torch.arange(outputs.shape[1], device=outputs.device, dtype=outputs.dtype)
        ranks = targets.to(outputs.dtype)[:, None]
        losses = functional.binary_cross_entropy_with_logits(
            outputs, (ranks > steps).to(outputs.dtype), reduction="none"
        )
        return weighted((losses * (ranks >= steps)).sum(dim=1), targets, class_weights)

    return loss


def squared_distance(
    kind: Kind, options: LossOptions, class_weights: Tensor | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the squared distance between the place of one logit[n, 1] among the labels and the true label."""
    del options
    highest = len(kind.probability_names) - 1

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        return weighted((highest * torch.sigmoid(outputs[:, 0]) - targets).square(), targets, class_weights)

    return loss
