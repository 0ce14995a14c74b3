"""One vector per sequence: that of its first token, or the mean over its own tokens."""

from __future__ import annotations

from collections.abc import Callable

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.model.encoder import first_of, mean_of
from manyheads.model.flat import FlatTokens


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6))
def test_against_a_loop(lengths: list[int], flat_tokens: Callable[..., FlatTokens]) -> None:
    layout = flat_tokens(lengths).layout
    states = torch.randn(sum(lengths), 4, dtype=torch.float64)
    pieces = states.split(lengths)
    torch.testing.assert_close(first_of(states, layout), torch.stack([piece[0] for piece in pieces]))
    torch.testing.assert_close(mean_of(states, layout), torch.stack([piece.mean(dim=0) for piece in pieces]))
