"""The layout of flat tokens: where each token stands among its sequences, and what may see what."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.model.flat import FlatTokens

Tokens = Callable[..., FlatTokens]
LENGTHS = st.lists(st.integers(1, 9), min_size=1, max_size=6)


@settings(deadline=None, max_examples=50)
@given(lengths=LENGTHS)
def test_a_slot_is_a_sequence_and_a_place(lengths: list[int], flat_tokens: Tokens) -> None:
    tokens = flat_tokens(lengths)
    layout = tokens.layout
    places = [(s, place) for s, length in enumerate(lengths) for place in range(length)]
    assert layout.slots.tolist() == [s * max(lengths) + place for s, place in places]
    assert tokens.position_ids.tolist() == [place for _, place in places]
    assert layout.lengths.tolist() == lengths
    assert layout.sequences == len(lengths)
    assert [places[start] for start in layout.starts.tolist()] == [(s, 0) for s in range(len(lengths))]
    assert layout.ragged == (len(set(lengths)) > 1)


@settings(deadline=None, max_examples=50)
@given(lengths=LENGTHS, window=st.none() | st.integers(1, 12))
def test_a_token_sees_its_own_sequence_within_the_window(
    lengths: list[int], window: int | None, flat_tokens: Tokens
) -> None:
    longest = max(lengths)
    mask = flat_tokens(lengths).layout.mask(torch.float32, window)
    if mask is None:
        mask = torch.zeros(len(lengths), 1, 1, longest)
    seen = mask.expand(len(lengths), 1, longest, longest)[:, 0] == 0
    for s, length in enumerate(lengths):
        for query in range(length):
            expected = [key < length and (window is None or abs(query - key) < window) for key in range(longest)]
            assert seen[s, query].tolist() == expected


@given(lengths=LENGTHS, window=st.none() | st.integers(1, 12))
@settings(deadline=None, max_examples=50)
def test_no_place_sees_nothing(lengths: list[int], window: int | None, flat_tokens: Tokens) -> None:
    """A row of minus infinities would be NaN after the softmax, padding or not."""
    mask = flat_tokens(lengths).layout.mask(torch.float64, window)
    assert mask is None or torch.isfinite(mask).any(dim=-1).all()


def test_equal_lengths_need_no_mask(flat_tokens: Tokens) -> None:
    layout = flat_tokens((4, 4, 4)).layout
    assert layout.mask(torch.float32, None) is None
    assert layout.mask(torch.float32, 4) is None
    assert layout.mask(torch.float32, 3) is not None


def test_a_mask_is_made_once_a_batch(flat_tokens: Tokens) -> None:
    layout = flat_tokens((4, 2)).layout
    assert layout.mask(torch.float32, None) is layout.mask(torch.float32, None)
    assert layout.mask(torch.float32, 2) is not layout.mask(torch.float32, None)
    half = layout.mask(torch.bfloat16, None)
    assert half is not None
    assert half.dtype == torch.bfloat16


@pytest.mark.parametrize("field", ["token_ids", "position_ids", "segment_ids"])
def test_ids_are_what_embeddings_take(field: str, flat_tokens: Tokens) -> None:
    ids = getattr(flat_tokens((4, 2), segment=1), field)
    assert ids.dtype == torch.int64
    assert ids.shape == (6,)
