"""Conversion from flat to padded and back is lossless, and its gradients are exact."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.model.flat import FlatTokens, pad, unpad

Tokens = Callable[..., FlatTokens]


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_unpad_reverses_pad(lengths: list[int], flat_tokens: Tokens) -> None:
    layout = flat_tokens(lengths).layout
    rows = torch.randn(sum(lengths), 3)
    padded = pad(rows, layout)
    assert padded.shape == (len(lengths), max(lengths), 3)
    for sequence, piece in zip(padded, rows.split(lengths), strict=True):
        assert torch.equal(sequence[: len(piece)], piece)
        assert not sequence[len(piece) :].any()
    assert torch.equal(unpad(padded, layout), rows)


@pytest.mark.parametrize("lengths", [(3, 1, 2), (2, 2)])
def test_gradients(lengths: tuple[int, ...], flat_tokens: Tokens) -> None:
    layout = flat_tokens(lengths).layout
    rows = torch.randn(sum(lengths), 2, dtype=torch.float64, requires_grad=True)
    padded = torch.randn(len(lengths), max(lengths), 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x: pad(x, layout), rows)
    assert torch.autograd.gradcheck(lambda x: unpad(x, layout), padded)
    assert torch.autograd.gradgradcheck(lambda x: unpad(pad(x, layout).square(), layout), rows)
