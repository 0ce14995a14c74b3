"""Losses over the scores of the candidates of each row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import softplus

from manyheads.model.losses.options import LossOptions
from manyheads.tasks.kind import Kind


@dataclass(frozen=True)
class CandidateLoss:
    """A loss that compares the candidates of a row.

    `function(scores, relevance, present)`: losses[n] from the scores of up to m candidates, [n, m], their relevance,
    [n, m], and which of them exist, bool[n, m]. Every row has a candidate.
    """

    function: Callable[[Tensor, Tensor, Tensor], Tensor]

    def __call__(self, outputs: Tensor, targets: Tensor, offsets: Tensor) -> Tensor:
        """Return losses[n] for outputs[N, 1] and targets[N]. The candidates of row i are at offsets[i]:offsets[i+1]."""
        starts, counts = offsets[:-1], offsets.diff()
        place = torch.arange(int(counts.max()) if len(counts) else 0, device=offsets.device)
        present = place < counts[:, None]
        # The gradients of candidates that do not exist are 0. The backward pass adds repeated rows in a fixed order.
        at = torch.where(present, starts[:, None] + place, 0).reshape(-1)
        scores = outputs[:, 0].index_select(0, at).view(present.shape)
        relevance = targets.index_select(0, at).view(present.shape).masked_fill(~present, 0.0)
        return self.function(scores, relevance, present)


def candidate_cross_entropy(kind: Kind, options: LossOptions, class_weights: Tensor | None) -> CandidateLoss:
    """Return the cross-entropy of the softmax over the candidates of a row, with the relevances divided by their sum.

    Source: Radford et al. (2018), "Improving Language Understanding by Generative Pre-Training", section 3.3, for one
    right candidate per row.
    """
    del kind, options, class_weights

    def function(scores: Tensor, relevance: Tensor, present: Tensor) -> Tensor:
        wanted = relevance / relevance.sum(dim=1, keepdim=True).clamp_min(torch.finfo(relevance.dtype).tiny)
        return _cross_entropy(scores, wanted, present)

    return CandidateLoss(function)


def listnet(kind: Kind, options: LossOptions, class_weights: Tensor | None) -> CandidateLoss:
    """Return the cross-entropy between the softmax of the relevances and that of the scores.

    Source: Cao et al. (2007), "Learning to Rank: From Pairwise Approach to Listwise Approach", section 5 (ListNet with
    the top one probability).
    """
    del kind, options, class_weights

    def function(scores: Tensor, relevance: Tensor, present: Tensor) -> Tensor:
        return _cross_entropy(scores, relevance.masked_fill(~present, -torch.inf).softmax(dim=1), present)

    return CandidateLoss(function)


def ranknet(kind: Kind, options: LossOptions, class_weights: Tensor | None) -> CandidateLoss:
    """Return the mean of log(1 + exp(s_j - s_i)) over the pairs of a row in which i has a higher relevance than j.

    Source: Burges et al. (2005), "Learning to Rank using Gradient Descent", section 3. A row without such a pair has
    the loss 0.
    """
    del kind, options, class_weights

    def function(scores: Tensor, relevance: Tensor, present: Tensor) -> Tensor:
        higher = (relevance[:, :, None] > relevance[:, None, :]) & present[:, :, None] & present[:, None, :]
        losses = softplus(scores[:, None, :] - scores[:, :, None]).masked_fill(~higher, 0.0)
        return losses.sum(dim=(1, 2)) / higher.sum(dim=(1, 2)).clamp_min(1)

    return CandidateLoss(function)


def _cross_entropy(scores: Tensor, wanted: Tensor, present: Tensor) -> Tensor:
    logs = scores.masked_fill(~present, -torch.inf).log_softmax(dim=1)
    return -(wanted * logs.masked_fill(~present, 0.0)).sum(dim=1)
