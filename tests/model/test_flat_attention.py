"""Flat attention agrees with a plain implementation, within sequences and windows, with and without dropout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from manyheads.model.flat import FlatTokens
from manyheads.model.flat_attention import first_token_attention, flat_attention

HEADS, SIZE = 2, 3
Tokens = Callable[..., FlatTokens]


def states(tokens: int, seed: int) -> Tensor:
    return torch.randn(1, HEADS, tokens, SIZE, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def attend(query: Tensor, key: Tensor, value: Tensor, tokens: FlatTokens, **options: Any) -> Tensor:
    result, weights = flat_attention(nn.Identity(), query, key, value, None, flat_layout=tokens.layout, **options)
    assert weights is None
    return result


def written_out(
    query: Tensor, key: Tensor, value: Tensor, lengths: list[int], scaling: float, window: int | None
) -> Tensor:
    pieces = []
    for q, k, v in zip(*(x[0].split(lengths, dim=1) for x in (query, key, value)), strict=True):
        scores = scaling * q @ k.transpose(1, 2)
        places = torch.arange(q.shape[1])
        far = (places[:, None] - places[None, :]).abs() >= (window or len(places))
        pieces.append((scores.masked_fill(far, float("-inf")).softmax(dim=-1) @ v).transpose(0, 1))
    return torch.cat(pieces)[None]


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), window=st.none() | st.integers(1, 12))
def test_it_agrees_with_a_plain_implementation(lengths: list[int], window: int | None, flat_tokens: Tokens) -> None:
    query, key, value = (states(sum(lengths), seed) for seed in range(3))
    tokens = flat_tokens(lengths)
    attended = attend(query, key, value, tokens, scaling=0.7, sliding_window=window)
    assert attended.shape == (1, sum(lengths), HEADS, SIZE)
    torch.testing.assert_close(attended, written_out(query, key, value, lengths, 0.7, window), rtol=1e-12, atol=1e-12)


@settings(deadline=None, max_examples=60)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_first_tokens_only(lengths: list[int], flat_tokens: Tokens) -> None:
    query, key, value = (states(sum(lengths), seed) for seed in range(3))
    layout = flat_tokens(lengths).layout
    rows = [x[0].transpose(0, 1).reshape(sum(lengths), -1) for x in (query, key, value)]
    first = first_token_attention(
        rows[0].index_select(0, layout.starts), rows[1], rows[2], layout, heads=HEADS, scaling=0.7, dropout=0.0
    )
    full = written_out(query, key, value, lengths, 0.7, None)[0].reshape(sum(lengths), -1)
    torch.testing.assert_close(first, full[layout.starts], rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("window", [None, 3])
@pytest.mark.parametrize("lengths", [(5, 2, 7), (4, 4)])
def test_a_sequence_sees_no_other(lengths: tuple[int, ...], window: int | None, flat_tokens: Tokens) -> None:
    """Its outputs and gradients do not change when another sequence changes, not even to NaN."""
    query, key, value = (states(sum(lengths), seed).requires_grad_() for seed in range(3))
    tokens = flat_tokens(lengths)
    own = attend(query, key, value, tokens, sliding_window=window)[0, : lengths[0]]
    gradients = torch.autograd.grad(own.square().sum(), (query, key, value))
    for gradient in gradients:
        assert gradient[0, :, : lengths[0]].any()
        assert not gradient[0, :, lengths[0] :].any()
    spoiled = value.detach().clone()
    spoiled[0, :, lengths[0] :] = float("nan")
    assert torch.equal(attend(query, key, spoiled, tokens, sliding_window=window)[0, : lengths[0]], own)


def test_dropout_drops_weights_and_keeps_the_mean(flat_tokens: Tokens) -> None:
    """With all values one, attention gives one. With dropout it varies around one."""
    lengths = [40] * 30 + [39]
    total = sum(lengths)
    query, key, value = states(total, 0), states(total, 1), torch.ones(1, HEADS, total, SIZE, dtype=torch.float64)
    tokens = flat_tokens(lengths)
    torch.testing.assert_close(attend(query, key, value, tokens), torch.ones(1, total, HEADS, SIZE).double())
    torch.manual_seed(0)
    dropped = attend(query, key, value, tokens, dropout=0.4)
    assert dropped.std() > 0.05
    assert float(dropped.mean()) == pytest.approx(1.0, abs=0.02)
    layout = tokens.layout
    rows = [x[0].transpose(0, 1).reshape(total, -1) for x in (query, key, value)]
    first = first_token_attention(
        rows[0].index_select(0, layout.starts), rows[1], rows[2], layout, heads=HEADS, scaling=0.5, dropout=0.4
    )
    assert first.std() > 0.05
    assert float(first.mean()) == pytest.approx(1.0, abs=0.2)


def test_the_same_bytes_each_time_on_two_threads(flat_tokens: Tokens) -> None:
    """The forward and backward pass are deterministic, which exact resuming needs."""
    lengths = [31, 4, 57, 12, 57, 8, 23, 40]
    tokens = flat_tokens(lengths)
    threads = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        results = []
        for _ in range(5):
            inputs = [
                torch.randn(1, 4, sum(lengths), 32, generator=torch.Generator().manual_seed(seed)).requires_grad_()
                for seed in range(3)
            ]
            output = attend(*inputs, tokens)
            output.square().sum().backward()
            results.append([output.detach(), *(x.grad for x in inputs)])
    finally:
        torch.set_num_threads(threads)
    for again in results[1:]:
        assert all(torch.equal(x, y) for x, y in zip(results[0], again, strict=True))
