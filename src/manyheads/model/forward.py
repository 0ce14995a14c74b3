"""Outputs of a model over a whole split: sorted by length, in batches of many tokens, without gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy.typing import NDArray

from manyheads.data.dataset import Split, assemble, lengths
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.model.flat import FlatTokens
from manyheads.model.multitask import MultitaskModel

TOKEN_BUDGET = 2048
"""Real tokens a batch: past a thousand or two the matrix products of a CPU gain nothing from more."""


def forward_split(
    model: MultitaskModel,
    store: TextStore,
    template: Template,
    split: Split,
    *,
    max_length: int,
    device: torch.device,
    token_budget: int = TOKEN_BUDGET,
) -> NDArray[np.float32]:
    """The head's outputs of every example, in the split's order: float32[n, outputs].

    The model is in eval mode during the call and in its former mode after it. Equal texts of a batch are encoded once.
    """
    outputs = np.empty((len(split), split.task.outputs), dtype=np.float32)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            for picks in batches_by_length(lengths(store, template, max_length, split), token_budget):
                batch = assemble(store, template, max_length, [(split, picks)], deduplicate=True)
                (result,) = model(FlatTokens.from_batch(batch, device), batch.parts)
                outputs[picks] = result.float().cpu().numpy()
    finally:
        model.train(was_training)
    return outputs


def batches_by_length(sizes: NDArray[np.integer], token_budget: int) -> Iterator[NDArray[np.int64]]:
    """Examples grouped by size, longest first: sizes[n] to index arrays whose sizes sum to at most the budget.

    An example larger than the budget is a batch of its own. Longest first, so that a lack of memory shows at once.
    """
    order = np.argsort(-sizes.astype(np.int64), kind="stable")
    start, total = 0, 0
    for position, example in enumerate(order):
        size = int(sizes[example])
        if position > start and total + size > token_budget:
            yield order[start:position]
            start, total = position, 0
        total += size
    if len(order) > start:
        yield order[start:]
