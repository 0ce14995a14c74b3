"""Padded inputs, for architectures that flat attention does not support."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manyheads.model.flat import FlatTokens


def padded_outputs(model: Any, tokens: FlatTokens, *, pad_id: int, takes_segments: bool, offset: int = 0) -> Any:
    """Run a model on padded sequences and a mask, and return its own outputs: `last_hidden_state` is float[S, L, H].

    `offset`: the position of the first token, if positions start after a padding index. They are then passed to the
    model, which would otherwise give no position to a token of the text that has the padding's id.
    """
    layout = tokens.layout
    shape = (layout.sequences, layout.max_length)
    token_ids = _spread(tokens.token_ids, layout.slots, shape, pad_id)
    inputs = {
        "input_ids": token_ids,
        "attention_mask": _spread(torch.ones_like(tokens.token_ids), layout.slots, shape, 0),
    }
    if takes_segments:
        inputs["token_type_ids"] = _spread(tokens.segment_ids, layout.slots, shape, 0)
    if offset:
        inputs["position_ids"] = _spread(tokens.position_ids + offset, layout.slots, shape, offset - 1)
    return model(**inputs)


def _spread(values: Tensor, slots: Tensor, shape: tuple[int, int], fill: int) -> Tensor:
    return values.new_full((shape[0] * shape[1],), fill).index_copy_(0, slots, values).view(shape)
