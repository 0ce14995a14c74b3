"""Outputs of a model for whole splits: sorted by length, in large batches, without gradients.

Every distinct sequence of several tasks is encoded once for all tasks that read it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.data.batch import TOKEN_BUDGET, Batch, Part, batches_by_length
from manyheads.data.dataset import (
    Split,
    assemble,
    assemble_rows,
    assemble_texts,
    lengths,
    row_lengths,
    text_lengths,
)
from manyheads.data.shared import outputs_together, same_rows
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


Ints = NDArray[np.int64]


def forward_several(
    model: MultitaskModel,
    store: TextStore,
    template: Template,
    splits: Sequence[Split],
    *,
    max_length: int,
    device: torch.device,
    token_budget: int = TOKEN_BUDGET,
) -> list[Rows]:
    """Return the outputs for every split, float32[n, outputs] or ragged each. The model is in eval mode.

    Tasks of one text and bi-encoded pairs share the sequences of single texts. Cross-encoded pairs share the sequences
    of pairs.
    """
    read = [each if each.candidates is None else each.pairs for each in splits]
    groups = [_wanted([each for each in read if each.words is None], width) for width in (1, 2)]
    singles, pairs = groups[0][0], groups[1][0]
    with torch.inference_mode():
        vectors = _encode(model, store, template, singles, pairs, max_length, device, token_budget)
        first = (0, len(singles))
        outputs: list[Rows] = []
        places = [iter(each) for _, each in groups]
        for given, split in zip(splits, read, strict=True):
            if split.words is not None:
                own = (model, store, template, split)
                outputs.append(forward_split(*own, max_length=max_length, device=device, token_budget=token_budget))
                continue
            group = int(split.task.pair == "cross")
            part = Part(split.task.name, np.arange(len(split)), next(places[group]) + first[group], split.targets)
            found = model.outputs(vectors, part).float().cpu().numpy()
            outputs.append(found if given.candidates is None else Ragged(found, given.candidates.offsets))
    return outputs


def forward_streams(
    model: MultitaskModel,
    store: TextStore,
    template: Template,
    splits: Sequence[Split],
    *,
    max_length: int,
    device: torch.device,
    token_budget: int = TOKEN_BUDGET,
    after_batch: Callable[[], None] | None = None,
    share_texts: bool = False,
) -> list[Rows]:
    """Return the outputs for every split. Splits with the same rows are encoded once, the others one after another.

    The outputs differ from those of `forward_split` by rounding only, because the batches are others. `after_batch` and
    the mode of the model: as there. `share_texts`: also encode a text once that splits with other rows read.
    """
    outputs: list[Rows] = [None] * len(splits)
    options: dict[str, Any] = {"max_length": max_length, "device": device, "token_budget": token_budget}
    after = after_batch or (lambda: None)
    was_training = model.training
    model.eval()
    try:
        alone: list[int] = []
        for group in same_rows(splits):
            own = [splits[place] for place in group]
            if len(group) == 1:
                alone += group
                continue
            if own[0].task.sequences > 1:
                found = forward_several(model, store, template, own, **options)
                after()
            else:
                found = _together(model, store, template, own, after_batch=after, **options)
            for place, each in zip(group, found, strict=True):
                outputs[place] = each
        if share_texts:
            found = forward_several(model, store, template, [splits[place] for place in alone], **options)
        else:
            found = [
                forward_split(model, store, template, splits[place], after_batch=after, **options) for place in alone
            ]
        for place, each in zip(alone, found, strict=True):
            outputs[place] = each
    finally:
        model.train(was_training)
    return outputs


def _together(
    model: MultitaskModel,
    store: TextStore,
    template: Template,
    splits: Sequence[Split],
    *,
    device: torch.device,
    after_batch: Callable[[], None],
    **options: Any,
) -> list[Rows]:
    """Return the outputs for splits of one sequence per example that read the same rows."""

    def forward(batch: Batch) -> list[NDArray[np.float32]]:
        with torch.inference_mode():
            results = model(FlatTokens.from_batch(batch, device), batch.parts)
        after_batch()
        return [result.float().cpu().numpy() for result in results]

    return outputs_together(forward, store, template, splits, **options)


def _wanted(splits: Sequence[Split], width: int) -> tuple[Ints, list[Ints]]:
    """Return the distinct sequences of `width` texts, int64[s, width], and each reading split's places in them.

    Places are int64[n, sequences per example].
    """
    readers = [each for each in splits if (each.task.pair == "cross") == (width == 2)]
    rows = [each.text_index.astype(np.int64).reshape(-1, width) for each in readers]
    if not rows:
        return np.zeros((0, width), dtype=np.int64), []
    distinct, inverse = np.unique(np.concatenate(rows), axis=0, return_inverse=True)
    ends = np.cumsum([len(each) for each in rows])
    parts = np.split(inverse.reshape(-1), ends[:-1])
    return distinct, [part.reshape(-1, each.task.sequences) for part, each in zip(parts, readers, strict=True)]


def _encode(
    model: MultitaskModel,
    store: TextStore,
    template: Template,
    singles: Ints,
    pairs: Ints,
    max_length: int,
    device: torch.device,
    token_budget: int,
) -> Tensor:
    """Return the vectors of single texts, then of pairs: float[s, hidden]."""
    sizes = [row_lengths(store, template, max_length, rows) for rows in (singles, pairs) if len(rows)]
    count = len(singles) + len(pairs)
    vectors = torch.empty(count, model.encoder.hidden_size, dtype=torch.float32, device=device)
    for picks in batches_by_length(np.concatenate(sizes) if sizes else np.zeros(0, dtype=np.int32), token_budget):
        of_one, of_two = picks[picks < len(singles)], picks[picks >= len(singles)]
        batch = assemble_rows(store, template, max_length, [singles[of_one], pairs[of_two - len(singles)]])
        places = torch.from_numpy(np.concatenate([of_one, of_two])).to(device)
        vectors[places] = model.encoder(FlatTokens.from_batch(batch, device)).float()
    return vectors
