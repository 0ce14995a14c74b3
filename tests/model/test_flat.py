"""The layout of flat tokens: the place of each token among the sequences."""

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


@pytest.mark.parametrize("field", ["token_ids", "position_ids", "segment_ids"])
def test_ids_have_the_type_that_embeddings_need(field: str, flat_tokens: Tokens) -> None:
    ids = getattr(flat_tokens((4, 2), segment=1), field)
    assert ids.dtype == torch.int64
    assert ids.shape == (6,)
