"""Outputs of a model over a whole split: sorted by length, in batches of many tokens, without gradients."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from manyheads.data.batch import Part
from manyheads.data.dataset import Split, assemble, assemble_texts, lengths, text_lengths
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.model.flat import FlatTokens
from manyheads.model.multitask import MultitaskModel

TOKEN_BUDGET = 2048
"""Real tokens a batch: past a thousand or two the matrix products of a CPU gain nothing from more."""


HEAD_ROWS = 8192
"""Examples whose pairs of vectors a head reads at once."""


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

    The model is in eval mode during the call and in its former mode after it. Equal texts are encoded once: those of a
    batch, or of the whole split where each text is a sequence of its own (a bi-encoder).
    """
    ready = _Ready(model, store, template, max_length, device, token_budget)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            return ready.pairs(split) if split.task.sequences == 2 else ready.sequences(split)
    finally:
        model.train(was_training)


@dataclass(frozen=True)
class _Ready:
    """A model and the texts that it is to read."""

    model: MultitaskModel
    store: TextStore
    template: Template
    max_length: int
    device: torch.device
    token_budget: int

    def sequences(self, split: Split) -> NDArray[np.float32]:
        """The outputs of examples that are one sequence each."""
        outputs = np.empty((len(split), split.task.outputs), dtype=np.float32)
        sizes = lengths(self.store, self.template, self.max_length, split)
        for picks in batches_by_length(sizes, self.token_budget):
            batch = assemble(self.store, self.template, self.max_length, [(split, picks)], deduplicate=True)
            (result,) = self.model(FlatTokens.from_batch(batch, self.device), batch.parts)
            outputs[picks] = result.float().cpu().numpy()
        return outputs

    def pairs(self, split: Split) -> NDArray[np.float32]:
        """The outputs of examples that are two sequences each: every distinct text's vector first, then the head."""
        texts, places = np.unique(split.text_index.astype(np.int64), return_inverse=True)
        places = places.reshape(split.text_index.shape)
        vectors = torch.empty(len(texts), self.model.encoder.hidden_size, device=self.device)
        sizes = text_lengths(self.store, self.template, self.max_length, texts)
        for picks in batches_by_length(sizes, self.token_budget):
            batch = assemble_texts(self.store, self.template, self.max_length, texts[picks])
            found = self.model.encoder(FlatTokens.from_batch(batch, self.device))
            vectors[torch.from_numpy(picks).to(self.device)] = found.float()
        outputs = np.empty((len(split), split.task.outputs), dtype=np.float32)
        for start in range(0, len(split), HEAD_ROWS):
            rows = np.arange(start, min(start + HEAD_ROWS, len(split)))
            part = Part(split.task.name, rows, places[rows], split.targets[rows])
            outputs[rows] = self.model.outputs(vectors, part).float().cpu().numpy()
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
