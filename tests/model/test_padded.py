"""The padded run agrees with the flat run, and with transformers' own run of one sequence at a time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from manyheads.model.encoder import FLAT_TYPES, Encoder, padded_outputs
from manyheads.model.flat import FlatTokens, unpad
from manyheads.model.flat_attention import NAME

LENGTHS = (5, 3, 40, 4, 17)
PADDED_TYPES = ("mpnet", "deberta-v2", "albert", "camembert")

Tokens = Callable[..., FlatTokens]
Reference = Callable[[Any, FlatTokens], tuple[Tensor, Tensor | None]]


@pytest.mark.parametrize("lengths", [LENGTHS, (6, 6)])
@pytest.mark.parametrize("name", PADDED_TYPES)
def test_other_architectures_run_padded(
    name: str,
    lengths: tuple[int, ...],
    new_model: Callable[..., Any],
    flat_tokens: Tokens,
    one_by_one: Reference,
    relative: Callable[[Tensor, Tensor], float],
) -> None:
    model = new_model(name).double()
    tokens = flat_tokens(lengths)
    states, pooled = one_by_one(model, tokens)
    first = Encoder(model, pooling="first").eval()
    assert not first.flat
    assert first.note is not None
    assert name in first.note
    assert relative(first.tokens(tokens), states) <= 1e-9
    assert relative(first(tokens), states[tokens.layout.starts]) <= 1e-9
    mean = torch.stack([piece.mean(dim=0) for piece in states.split(list(lengths))])
    assert relative(Encoder(model, pooling="mean").eval()(tokens), mean) <= 1e-9
    if pooled is not None:
        vectors = Encoder(model, pooling="pooler").eval()(tokens)
        assert vectors.shape == (len(lengths), first.hidden_size)
        assert relative(vectors, pooled) <= 1e-9


@pytest.mark.parametrize("name", FLAT_TYPES)
def test_flat_and_padded_runs_agree(
    name: str, new_model: Callable[..., Any], flat_tokens: Tokens, relative: Callable[[Tensor, Tensor], float]
) -> None:
    model = new_model(name).double()
    model.set_attn_implementation("sdpa")
    segments = getattr(model.config, "type_vocab_size", 1) > 1
    tokens = flat_tokens(LENGTHS, segment=int(segments))
    outputs = padded_outputs(model, tokens, pad_id=model.config.pad_token_id, takes_segments=segments)
    padded = unpad(outputs.last_hidden_state, tokens.layout)
    model.set_attn_implementation(NAME)
    encoder = Encoder(model, pooling="first").eval()
    assert encoder.flat
    assert encoder.note is None
    assert relative(encoder.tokens(tokens), padded) <= 1e-9
