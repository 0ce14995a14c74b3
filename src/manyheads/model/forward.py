"""Outputs of a model for a whole split: sorted by length, in large batches, without gradients."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from manyheads.data.batch import Part
from manyheads.data.by_length import TOKEN_BUDGET, batches_by_length
from manyheads.data.dataset import Split, assemble, assemble_texts, lengths, text_lengths
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.model.flat import FlatTokens
from manyheads.model.multitask import MultitaskModel
from manyheads.ragged import Ragged, Rows

HEAD_ROWS = 8192
"""Pairs of vectors that a head reads at once."""


def forward_split(
    model: MultitaskModel,
    store: TextStore,
    template: Template,
    split: Split,
    *,
    max_length: int,
    device: torch.device,
    token_budget: int = TOKEN_BUDGET,
    after_batch: Callable[[], None] | None = None,
) -> Rows:
    """Return the head's outputs for every example, in the split's order: float32[n, outputs].

    Those of a task with words or candidates are ragged.

    `after_batch` is called after each batch. It may raise an exception to end the pass. The model is in eval mode
    during the call and in its former mode after it. Equal texts of a batch are encoded once.
    For a bi-encoder, where each text is a sequence, equal texts of the whole split are encoded once.
    """
    ready = _Ready(model, store, template, max_length, device, token_budget, after_batch or _nothing)
    was_training = model.training
    model.eval()
    try:
        with torch.inference_mode():
            if split.words is not None:
                return ready.words(split, split.words)
            if split.candidates is not None:
                # Each pair of a text and a candidate is an example of its own, so a long row needs no large batch.
                return Ragged(ready.outputs(split.pairs), split.candidates.offsets)
            return ready.outputs(split)
    finally:
        model.train(was_training)


@dataclass(frozen=True)
class _Ready:
    """A model and the texts that it reads."""

    model: MultitaskModel
    store: TextStore
    template: Template
    max_length: int
    device: torch.device
    token_budget: int
    after_batch: Callable[[], None]

    def outputs(self, split: Split) -> NDArray[np.float32]:
        """Return the outputs for examples of one sequence each, or of several."""
        return self.pairs(split) if split.task.sequences > 1 else self.sequences(split)

    def sequences(self, split: Split) -> NDArray[np.float32]:
        """Return the outputs for examples of one sequence each."""
        outputs = np.empty((len(split), split.task.outputs), dtype=np.float32)
        sizes = lengths(self.store, self.template, self.max_length, split)
        for picks in batches_by_length(sizes, self.token_budget):
            batch = assemble(self.store, self.template, self.max_length, [(split, picks)], deduplicate=True)
            (result,) = self.model(FlatTokens.from_batch(batch, self.device), batch.parts)
            outputs[picks] = result.float().cpu().numpy()
            self.after_batch()
        return outputs

    def words(self, split: Split, words: Ragged) -> Ragged:
        """Return the outputs for each word of the examples."""
        outputs = np.empty((len(words.values), split.task.outputs), dtype=np.float32)
        sizes = lengths(self.store, self.template, self.max_length, split)
        for picks in batches_by_length(sizes, self.token_budget):
            batch = assemble(self.store, self.template, self.max_length, [(split, picks)])
            (result,) = self.model(FlatTokens.from_batch(batch, self.device), batch.parts)
            outputs[words.places(picks)[0]] = result.float().cpu().numpy()
            self.after_batch()
        return Ragged(outputs, words.offsets)

    def pairs(self, split: Split) -> NDArray[np.float32]:
        """Return the outputs for examples of several sequences each. Every distinct text is encoded once."""
        texts, places = np.unique(split.text_index.astype(np.int64), return_inverse=True)
        places = places.reshape(split.text_index.shape)
        vectors = torch.empty(len(texts), self.model.encoder.hidden_size, dtype=torch.float32, device=self.device)
        sizes = text_lengths(self.store, self.template, self.max_length, texts)
        for picks in batches_by_length(sizes, self.token_budget):
            batch = assemble_texts(self.store, self.template, self.max_length, texts[picks])
            encoded = self.model.encoder(FlatTokens.from_batch(batch, self.device))
            vectors[torch.from_numpy(picks).to(self.device)] = encoded.float()
            self.after_batch()
        parts = []
        for start in range(0, max(1, len(split)), HEAD_ROWS):
            rows = np.arange(start, min(start + HEAD_ROWS, len(split)))
            part = Part(split.task.name, rows, places[rows], split.targets[rows])
            parts.append(self.model.outputs(vectors, part).float().cpu().numpy())
        return np.concatenate(parts)


def _nothing() -> None:
    """Do nothing."""
