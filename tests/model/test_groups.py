"""Groups of similar length: every sequence is in one group, there is little padding, and the masks are right."""

from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.model.flat import RATIO, Group, by_length, make_groups

LENGTHS = st.lists(st.integers(1, 90), min_size=1, max_size=12)
CPU = torch.device("cpu")


@given(lengths=LENGTHS)
def test_every_sequence_is_in_one_group_of_similar_length(lengths: list[int]) -> None:
    sizes = np.array(lengths)
    groups = by_length(sizes)
    assert sorted(np.concatenate(groups).tolist()) == list(range(len(lengths)))
    assert all(sizes[group].min() >= RATIO * sizes[group].max() for group in groups)
    longest = [int(sizes[group].max()) for group in groups]
    assert longest == sorted(longest, reverse=True)


@settings(deadline=None, max_examples=50)
@given(lengths=LENGTHS)
def test_unpad_reverses_pad(lengths: list[int]) -> None:
    groups = make_groups(np.array(lengths), CPU)
    rows = torch.randn(sum(lengths), 3)
    pieces = rows.split(lengths)
    buffer = groups.pad(rows)
    assert buffer.shape == (groups.size, 3)
    place = 0
    for part in groups.parts(buffer):
        for padded in part:
            piece = pieces[int(groups.order[place])]
            assert torch.equal(padded[: len(piece)], piece)
            assert not padded[len(piece) :].any()
            place += 1
    assert torch.equal(groups.unpad(groups.parts(buffer)), rows)
    assert torch.equal(groups.order[groups.places], torch.arange(len(lengths)))


@settings(deadline=None, max_examples=50)
@given(lengths=st.lists(st.integers(1, 9), min_size=1, max_size=6), window=st.none() | st.integers(1, 12))
def test_a_token_sees_its_own_sequence_within_the_window(lengths: list[int], window: int | None) -> None:
    longest = max(lengths)
    mask = one_group(lengths).mask(torch.float64, window)
    if mask is None:
        mask = torch.zeros(len(lengths), 1, 1, longest)
    # A row of minus infinities would be NaN after the softmax, even in the padding.
    assert torch.isfinite(mask).any(dim=-1).all()
    seen = mask.expand(len(lengths), 1, longest, longest)[:, 0] == 0
    for s, length in enumerate(lengths):
        for query in range(length):
            expected = [key < length and (window is None or abs(query - key) < window) for key in range(longest)]
            assert seen[s, query].tolist() == expected


def test_equal_lengths_need_no_mask_and_no_copy() -> None:
    groups = make_groups(np.array([4, 4, 4]), CPU)
    (group,) = groups.groups
    assert group.mask(torch.float32, None) is None
    assert group.mask(torch.float32, 4) is None
    assert group.mask(torch.float32, 3) is not None
    rows = torch.randn(12, 2)
    assert groups.pad(rows) is rows


def test_a_mask_is_made_once_per_batch() -> None:
    group = one_group([4, 2])
    assert group.mask(torch.float32, None) is group.mask(torch.float32, None)
    assert group.mask(torch.float32, 2) is not group.mask(torch.float32, None)
    half = group.mask(torch.bfloat16, None)
    assert half is not None
    assert half.dtype == torch.bfloat16


def one_group(lengths: list[int]) -> Group:
    return Group(max(lengths), len(set(lengths)) > 1, torch.tensor(lengths))
