"""Token weights: gradient x input.

The weight of a token is the dot product of its word vector with the gradient of an output by that vector. A positive
weight supports the prediction.

Source: Shrikumar et al. 2016 (arXiv:1605.01713).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cosine_similarity

from manyheads.data.dataset import Split, assemble, sequences_of
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.inference.engine import TokenWeight
from manyheads.model.flat import FlatTokens
from manyheads.model.multitask import MultitaskModel
from manyheads.tasks.kind import Kind


def token_weights(
    model: MultitaskModel, tokenizer: Tokenizer, store: TextStore, split: Split, max_length: int, device: torch.device
) -> list[list[TokenWeight]]:
    """Return the weights of the tokens of each text of a split with one example.

    Special tokens and tokens that were truncated have no weight.
    """
    batch = assemble(store, tokenizer.template, max_length, [(split, np.zeros(1, dtype=np.int64))])
    with torch.enable_grad(), _leaf_of(model) as leaves:
        (outputs,) = model(FlatTokens.from_batch(batch, device), batch.parts)
        (gradient,) = torch.autograd.grad(_score(outputs[0], split.task.kind), leaves[0])
    scores = (gradient * leaves[0].detach()).sum(-1).reshape(-1).float().cpu().numpy()
    scores = scores / max(float(np.abs(scores).max(initial=0.0)), 1e-12)
    pieces = tokenizer.pieces
    form, _, kept = sequences_of(store, tokenizer.template, max_length, split)
    weights, at = [], 0
    for side in kept[0]:
        at += len(form.special[0])
        for column, count in enumerate(side):
            places = range(at, at + int(count))
            weights.append([TokenWeight(pieces[batch.token_ids[k]], round(float(scores[k]), 4)) for k in places])
            at += int(count) + len(form.special[column + 1])
    return weights


def _score(outputs: Tensor, kind: Kind) -> Tensor:
    """Return the scalar to differentiate.

    It is the cosine of two vectors, the value (regression), the logit in the direction of the predicted class (one
    logit), the largest logit of independent labels, or the log probability of the predicted class. The probability is
    used instead of the logit because a word that raises all logits equally does not support any class.
    """
    if kind.vectors:
        first, second = outputs.chunk(2)
        return cosine_similarity(first, second, dim=0)
    if not kind.exclusive:
        return outputs.max()
    if len(outputs) > 1:
        return outputs.log_softmax(0).max()
    return outputs[0] if kind.unit or outputs[0] > 0 else -outputs[0]


@contextmanager
def _leaf_of(model: MultitaskModel) -> Iterator[list[Tensor]]:
    """Make this thread's word vectors leaves of the autograd graph within the block, and append them to the list."""
    leaves: list[Tensor] = []
    own = threading.get_ident()

    def detach(module: Any, inputs: Any, output: Tensor) -> Tensor:
        del module, inputs
        if threading.get_ident() != own:  # another thread predicts with the same model
            return output
        leaves.append(output.detach().requires_grad_())
        return leaves[-1]

    handle = model.encoder.model.get_input_embeddings().register_forward_hook(detach)
    try:
        yield leaves
    finally:
        handle.remove()
