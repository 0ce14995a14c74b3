"""Cross-entropy over the logits of all classes, or over the logit of the second of two classes."""

from __future__ import annotations

from collections.abc import Callable

import torch
from pydantic import Field
from torch import Tensor
from torch.nn import functional

from manyheads.model.losses.options import LossOptions
from manyheads.tasks.kind import Kind


class CrossEntropyOptions(LossOptions):
    """The options of cross-entropy."""

    label_smoothing: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Share of each target that is spread evenly over all classes (Szegedy et al. 2016, section 7).",
    )
    gamma: float = Field(
        default=0.0,
        ge=0,
        description="Exponent of the focal loss: the loss of an example is multiplied by (1 - p) ** gamma, where p is "
        "the probability of its class (Lin et al. 2017, section 3). 0 is plain cross-entropy.",
    )


def cross_entropy(
    kind: Kind, options: CrossEntropyOptions, class_weights: Tensor | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the cross-entropy of logits[n, classes], which may be smoothed or focal."""
    del kind

    def loss(outputs: Tensor, targets: Tensor) -> Tensor:
        labels = targets.long()
        losses = functional.cross_entropy(outputs, labels, reduction="none", label_smoothing=options.label_smoothing)
        if options.gamma:
            losses = losses * _focus(functional.cross_entropy(outputs, labels, reduction="none"), options.gamma)
        return weighted(losses, targets, class_weights)

    return loss


def binary_cross_entropy(
    kind: Kind, options: CrossEntropyOptions, class_weights: Tensor | None
) -> Callable[[Tensor, Tensor], Tensor]:
    """Return the binary cross-entropy of one logit[n, 1], that of the second class, or its mean over logits[n, labels].

    The logits of several labels are independent, with targets[n, labels] of 0 and 1.
    """

    def terms(logits: Tensor, targets: Tensor) -> Tensor:
        smoothed = targets if not options.label_smoothing else smooth(targets, options.label_smoothing)
        losses = functional.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
        if options.gamma:
            plain = functional.binary_cross_entropy_with_logits(logits, targets, reduction="none")
            losses = losses * _focus(plain, options.gamma)
        return losses

    def of_two(outputs: Tensor, targets: Tensor) -> Tensor:
        return weighted(terms(outputs[:, 0], targets.to(outputs.dtype)), targets, class_weights)

    def of_labels(outputs: Tensor, targets: Tensor) -> Tensor:
        losses = terms(outputs, targets.to(outputs.dtype))
        if class_weights is not None:
            weights = class_weights.to(losses.dtype)
            losses = losses * (weights if weights.dim() == 1 else torch.where(targets > 0, weights[1], weights[0]))
        return losses.mean(dim=1)

    return of_labels if kind.shape else of_two


def smooth(targets: Tensor, share: float) -> Tensor:
    """Return targets 0 and 1 with a share spread over both classes."""
    return targets * (1 - share) + share / 2


def weighted(losses: Tensor, targets: Tensor, class_weights: Tensor | None) -> Tensor:
    """Multiply each loss by the weight of its class."""
    return losses if class_weights is None else losses * class_weights.to(losses.dtype)[targets.long()]


def _focus(losses: Tensor, gamma: float) -> Tensor:
    """Return (1 - p) ** gamma for losses -log p. p is kept below 1, where the gradient of a root is infinite."""
    return (1 - (-losses).exp()).clamp(min=1e-7) ** gamma
