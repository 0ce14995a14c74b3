"""Losses that compare the vectors of all rows of a batch with one another, or the vectors of a row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor
from torch.nn.functional import cross_entropy, normalize

from manyheads.model.losses.options import LossOptions
from manyheads.tasks.kind import Kind


@dataclass(frozen=True)
class BatchLoss:
    """A loss that reads all rows of a task in a batch.

    `function(outputs, targets, texts)`: losses[n] from the outputs[n, k] of a head, targets[n], and texts[n, columns],
    which are equal for equal texts.
    """

    function: Callable[[Tensor, Tensor, Tensor], Tensor]

    def __call__(self, outputs: Tensor, targets: Tensor, texts: Tensor) -> Tensor:
        """Return losses[n]."""
        return self.function(outputs, targets, texts)


class VectorLossOptions(LossOptions):
    """The options of every loss of vectors."""

    matryoshka: Annotated[list[Annotated[int, Field(ge=1)]], Field(min_length=1)] | None = Field(
        default=None,
        description="Sizes such as [384, 128, 64]. The loss is the mean of the losses of the first numbers of the "
        "vectors, for each of these sizes, so that vectors may later be truncated to them (Matryoshka representation "
        "learning, Kusupati et al. 2022, section 3). At most the size of the vectors. Default: only whole vectors.",
    )


class MultipleNegativesOptions(VectorLossOptions):
    """The options of the loss with in-batch negatives."""

    scale: float = Field(
        default=20.0,
        gt=0,
        description="Factor on the cosines, which is 1 / temperature.",
    )
    guard_margin: float | None = Field(
        default=None,
        ge=0,
        description="A text of another row is no negative if its cosine with the anchor is above that of the positive "
        "by more than this margin: it probably belongs to the anchor, too. Default: only equal texts are no negatives.",
    )


class TripletOptions(VectorLossOptions):
    """The options of the triplet loss."""

    margin: float = Field(
        default=0.2,
        gt=0,
        description="By how much the cosine of the anchor with the positive must be above that with the negative.",
    )


class CosentOptions(VectorLossOptions):
    """The options of CoSENT."""

    scale: float = Field(default=20.0, gt=0, description="Factor on the differences of cosines.")


def multiple_negatives(kind: Kind, options: MultipleNegativesOptions, class_weights: Tensor | None) -> BatchLoss:
    """Return the cross-entropy of each row's own positive among the positives and hard negatives of the batch.

    A text is no negative of a row if it equals the row's anchor or positive, or is a positive of an equal anchor.
    Source: Henderson et al. (2017), "Efficient Natural Language Response Suggestion for Smart Reply", section 4.4;
    van den Oord, Li and Vinyals (2018), "Representation Learning with Contrastive Predictive Coding", section 2.3.
    """
    del kind, class_weights

    def loss(outputs: Tensor, targets: Tensor, texts: Tensor) -> Tensor:
        del targets
        anchors, *others = _columns(outputs, texts.shape[1])
        cosines = anchors @ torch.cat(others).T
        candidates = texts[:, 1:].T.reshape(-1)
        rows = torch.arange(len(texts), device=texts.device)
        same_anchor = (texts[:, None, 0] == texts[None, :, 0]).to(outputs.dtype)
        is_positive = (texts[:, 1, None] == candidates[None, :]).to(outputs.dtype)
        known = (same_anchor @ is_positive) > 0
        known |= texts[:, 0, None] == candidates[None, :]
        own = cosines[rows, rows].detach()
        if options.guard_margin is not None:
            known |= cosines.detach() > own[:, None] + options.guard_margin
        known[rows, rows] = False
        return cross_entropy((options.scale * cosines).masked_fill(known, float("-inf")), rows, reduction="none")

    return BatchLoss(_of_sizes(loss, options))


def triplet_margin(kind: Kind, options: TripletOptions, class_weights: Tensor | None) -> BatchLoss:
    """Return max(0, cos(anchor, negative) - cos(anchor, positive) + margin).

    Source: Schroff, Kalenichenko and Philbin (2015), "FaceNet", section 3.1, with cosines in place of distances.
    """
    del kind, class_weights

    def loss(outputs: Tensor, targets: Tensor, texts: Tensor) -> Tensor:
        del targets
        anchors, positives, negatives = _columns(outputs, texts.shape[1])
        return (((anchors * negatives) - (anchors * positives)).sum(dim=1) + options.margin).clamp(min=0)

    return BatchLoss(_of_sizes(loss, options))


def cosent(kind: Kind, options: CosentOptions, class_weights: Tensor | None) -> BatchLoss:
    """Return log(1 + sum of exp(scale (cos_j - cos_i)) over the pairs i, j of rows where i has the higher score).

    The loss is that of the whole batch, and is repeated for every row.
    Source: Su (2022), "CoSENT (1): a more effective sentence vector scheme than Sentence-BERT",
    https://kexue.fm/archives/8847.
    """
    del kind, class_weights

    def loss(outputs: Tensor, targets: Tensor, texts: Tensor) -> Tensor:
        first, second = _columns(outputs, texts.shape[1])
        cosines = options.scale * (first * second).sum(dim=1)
        gaps = cosines[None, :] - cosines[:, None]
        gaps = gaps.masked_fill(targets[:, None] <= targets[None, :], float("-inf")).reshape(-1)
        whole = torch.logsumexp(torch.cat([gaps.new_zeros(1), gaps]), dim=0)
        return whole.expand(len(outputs))

    return BatchLoss(_of_sizes(loss, options))


def _columns(outputs: Tensor, count: int) -> list[Tensor]:
    """Return the vectors of each of `count` texts, each [n, size], with length 1."""
    return [normalize(each, dim=1) for each in outputs.chunk(count, dim=1)]


def _of_sizes(
    loss: Callable[[Tensor, Tensor, Tensor], Tensor], options: VectorLossOptions
) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
    """Return the mean of a loss over the sizes of truncated vectors."""
    sizes = options.matryoshka
    if sizes is None:
        return loss

    def mean(outputs: Tensor, targets: Tensor, texts: Tensor) -> Tensor:
        columns = outputs.chunk(texts.shape[1], dim=1)
        losses = [loss(torch.cat([each[:, :size] for each in columns], dim=1), targets, texts) for size in sizes]
        return torch.stack(losses).mean(dim=0)

    return mean
