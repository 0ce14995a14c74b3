"""Flat runs have the outputs and gradients of transformers' own model, for every architecture listed as flat.

The measure is the norm of the difference divided by the norm of the reference, per tensor. In float32 outputs agree
within 1e-5 and gradients within 1e-4. In float64 both agree within 1e-9.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from transformers import AutoModel

from manyheads.data.batch import Batch
from manyheads.errors import EncoderError
from manyheads.model.encoder import FIRST_TOKEN_TYPES, FLAT_TYPES, Encoder, load_encoder
from manyheads.model.flat import FlatTokens
from manyheads.model.flat_attention import NAME
from manyheads.model.weights import OFFLINE, resolve

OUTPUTS = {torch.float32: 1e-5, torch.float64: 1e-9}
GRADIENTS = {torch.float32: 1e-4, torch.float64: 1e-9}
REFERENCES = {"modernbert": "sdpa"}
"""transformers' attention to compare with, if not "eager": ModernBERT's eager softmax always uses float32."""

RAGGED = (5, 3, 9, 40, 4, 17, 17)
EVEN = (11, 11, 11)

Tokens = Callable[..., FlatTokens]
Reference = Callable[[Any, FlatTokens], tuple[Tensor, Tensor | None]]
Relative = Callable[[Tensor, Tensor], float]
Worst = Callable[[Encoder, Callable[[], Tensor], Callable[[], Tensor]], tuple[str, float]]


def switch(model: Any, attention: str) -> None:
    """Use one model for both runs, so that there is only one copy of the weights."""
    model.set_attn_implementation(attention)


def projection(like: Tensor) -> Tensor:
    """Return a loss in which every number of the output has a different fixed weight."""
    return torch.randn(like.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float32).to(like.dtype)


def check(
    model: Any, tokens: FlatTokens, dtype: torch.dtype, one_by_one: Reference, relative: Relative, worst: Worst
) -> None:
    encoder = Encoder(model.to(dtype), pooling="first", first_token_only=False).eval()
    reference = REFERENCES.get(model.config.model_type, "eager")
    losses = {}

    def loss(attention: str) -> Tensor:
        switch(model, attention)
        states = encoder.tokens(tokens) if attention == NAME else one_by_one(model, tokens)[0]
        losses[attention] = states.detach()
        return (states * projection(states)).sum()

    name, error = worst(encoder, lambda: loss(NAME), lambda: loss(reference))
    assert relative(losses[NAME], losses[reference]) <= OUTPUTS[dtype]
    assert error <= GRADIENTS[dtype], name


@pytest.mark.parametrize("lengths", [RAGGED, EVEN, (1,)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("name", FLAT_TYPES)
def test_every_token_and_every_gradient(
    name: str,
    dtype: torch.dtype,
    lengths: tuple[int, ...],
    new_model: Callable[..., Any],
    flat_tokens: Tokens,
    one_by_one: Reference,
    relative: Relative,
    worst_gradient: Worst,
) -> None:
    model = new_model(name)
    tokens = flat_tokens(lengths, segment=int(getattr(model.config, "type_vocab_size", 1) > 1))
    check(model, tokens, dtype, one_by_one, relative, worst_gradient)


@pytest.mark.parametrize(("dtype", "layers"), [(torch.float32, 12), (torch.float64, 3)])
def test_a_model_of_bert_base_s_shape(
    dtype: torch.dtype,
    layers: int,
    new_model: Callable[..., Any],
    flat_tokens: Tokens,
    one_by_one: Reference,
    relative: Relative,
    worst_gradient: Worst,
) -> None:
    """768 wide, 12 heads, from the shortest sequence to the longest; rounding adds up over 12 layers."""
    base = new_model(
        "bert",
        hidden_size=768,
        num_hidden_layers=layers,
        num_attention_heads=12,
        intermediate_size=3072,
        max_position_embeddings=512,
        initializer_range=0.02,
    )
    check(base, flat_tokens((3, 29, 512), segment=1), dtype, one_by_one, relative, worst_gradient)


@pytest.fixture(scope="module")
def offline() -> Path:
    try:
        return resolve(OFFLINE, Path()).folder
    except EncoderError as error:
        pytest.skip(error.what)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("pooling", ["pooler", "first", "mean"])
def test_real_weights(
    offline: Path,
    pooling: Any,
    dtype: torch.dtype,
    flat_tokens: Tokens,
    one_by_one: Reference,
    relative: Relative,
    worst_gradient: Worst,
) -> None:
    """The encoder is loaded from a folder, with the first-token layer and pooling."""
    encoder = load_encoder(offline, pooling=pooling).to(dtype).eval()
    tokens = flat_tokens((3, 7, 31, 512) if pooling == "mean" else (3, 60, 7, 120), vocabulary=30_000, segment=1)
    vectors = {}

    def reference() -> Tensor:
        switch(encoder.model, "eager")
        states, pooled = one_by_one(encoder.model, tokens)
        pieces = states.split(tokens.layout.lengths.tolist())
        if pooling == "pooler":
            assert pooled is not None
            return pooled
        return torch.stack([piece[0] if pooling == "first" else piece.mean(dim=0) for piece in pieces])

    def flat() -> Tensor:
        switch(encoder.model, NAME)
        result: Tensor = encoder(tokens)
        return result

    def loss(way: Callable[[], Tensor]) -> Tensor:
        vectors[way] = way()
        return (vectors[way] * projection(vectors[way])).sum()

    name, error = worst_gradient(encoder, lambda: loss(flat), lambda: loss(reference))
    assert relative(vectors[flat], vectors[reference]) <= OUTPUTS[dtype]
    assert error <= GRADIENTS[dtype], name


def test_the_loaded_weights_are_those_that_transformers_loads(offline: Path) -> None:
    plain = AutoModel.from_pretrained(offline).state_dict()
    loaded = load_encoder(offline).model.state_dict()
    assert loaded.keys() == plain.keys()
    assert all(torch.equal(loaded[name], plain[name]) for name in plain)


@pytest.mark.parametrize("lengths", [RAGGED, EVEN])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("name", "pooling"),
    [*((name, "first") for name in FIRST_TOKEN_TYPES), *((name, "pooler") for name in ("bert", "roberta"))],
)
def test_the_last_layer_for_first_tokens_agrees_with_the_full_one(
    name: str,
    pooling: Any,
    dtype: torch.dtype,
    lengths: tuple[int, ...],
    new_model: Callable[..., Any],
    flat_tokens: Tokens,
    relative: Relative,
    worst_gradient: Worst,
) -> None:
    model = new_model(name).to(dtype)
    switch(model, NAME)
    short, full = (Encoder(model, pooling=pooling, first_token_only=only).eval() for only in (True, False))
    tokens = flat_tokens(lengths, segment=int(model.config.type_vocab_size > 1))
    assert relative(short(tokens), full(tokens)) <= OUTPUTS[dtype]

    def loss(encoder: Encoder) -> Tensor:
        vectors = encoder(tokens)
        return (vectors * projection(vectors)).sum()

    parameter, error = worst_gradient(short, lambda: loss(short), lambda: loss(full))
    assert error <= GRADIENTS[dtype], parameter


@pytest.mark.parametrize("name", FLAT_TYPES)
@settings(deadline=None, max_examples=8)
@given(picks=st.lists(st.integers(0, len(RAGGED) - 1), min_size=1, max_size=9))
def test_a_sequence_s_vector_does_not_depend_on_its_batch(
    name: str,
    picks: list[int],
    new_model: Callable[..., Any],
    new_batch: Callable[..., Batch],
    relative: Relative,
) -> None:
    """The vector is the same up to rounding in a permuted, split or doubled batch."""
    model = new_model(name, num_hidden_layers=2).double()
    switch(model, NAME)
    encoder = Encoder(model, pooling="first").eval()
    batch = new_batch(RAGGED)

    def vectors(sequences: Sequence[int]) -> Tensor:
        spans = [np.arange(batch.offsets[s], batch.offsets[s + 1]) for s in sequences]
        rows = np.concatenate(spans)
        part = Batch(
            token_ids=batch.token_ids[rows],
            position_ids=batch.position_ids[rows],
            segment_ids=batch.segment_ids[rows],
            offsets=np.cumsum([0, *map(len, spans)]).astype(np.int32),
            max_length=max(map(len, spans)),
            parts=(),
        )
        with torch.no_grad():
            result: Tensor = encoder(FlatTokens.from_batch(part, torch.device("cpu")))
        return result

    assert relative(vectors(picks), vectors(range(len(RAGGED)))[picks]) <= OUTPUTS[torch.float64]


def test_gradients_are_the_same_bytes_each_time_on_two_threads(
    new_model: Callable[..., Any], flat_tokens: Tokens
) -> None:
    """Resuming is exact only if no sum depends on the order of threads."""
    model = new_model("bert")
    switch(model, NAME)
    tokens = flat_tokens(range(1, 60))
    threads, runs = torch.get_num_threads(), []
    torch.set_num_threads(2)
    try:
        for pooling in ("mean", "pooler") * 2:
            encoder = Encoder(model, pooling=pooling).train()
            encoder.zero_grad()
            torch.manual_seed(5)
            encoder(tokens).square().sum().backward()
            runs.append([parameter.grad for parameter in encoder.parameters() if parameter.grad is not None])
    finally:
        torch.set_num_threads(threads)
    for first, again in zip(runs[:2], runs[2:], strict=True):
        assert all(torch.equal(left, right) for left, right in zip(first, again, strict=True))
