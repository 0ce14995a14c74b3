"""Outputs of several tasks at once. Every distinct sequence is encoded once for all tasks that read it."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.data.batch import Part
from manyheads.data.by_length import TOKEN_BUDGET, batches_by_length
from manyheads.data.dataset import Split, assemble_rows, row_lengths
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.model.flat import FlatTokens
from manyheads.model.forward import forward_split
from manyheads.model.multitask import MultitaskModel
from manyheads.ragged import Rows

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
    """Return the outputs for every split, float32[n, outputs] or ragged per word each. The model is in eval mode.

    Tasks of one text and bi-encoded pairs share the sequences of single texts. Cross-encoded pairs share the sequences
    of pairs.
    """
    groups = [_wanted([each for each in splits if each.words is None], width) for width in (1, 2)]
    singles, pairs = groups[0][0], groups[1][0]
    with torch.inference_mode():
        vectors = _encode(model, store, template, singles, pairs, max_length, device, token_budget)
        first = (0, len(singles))
        outputs: list[Rows] = []
        places = [iter(each) for _, each in groups]
        for split in splits:
            if split.words is not None:
                own = (model, store, template, split)
                outputs.append(forward_split(*own, max_length=max_length, device=device, token_budget=token_budget))
                continue
            group = int(split.task.pair == "cross")
            part = Part(split.task.name, np.arange(len(split)), next(places[group]) + first[group], split.targets)
            outputs.append(model.outputs(vectors, part).float().cpu().numpy())
    return outputs


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
