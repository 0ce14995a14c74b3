"""Masking: which tokens are masked, how many, and what replaces them."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from manyheads.data.batch import Batch
from manyheads.pretraining.texts import NO_WORD, MaskedBatch, Masker

MASK, VOCABULARY = 4, 50
ORDINARY = np.arange(5, VOCABULARY)

words_of_texts = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=8)
"""Texts as lists of words, each given by its number of tokens. 0 is an unknown token, which is never masked."""


def make(texts: list[list[int]]) -> tuple[Batch, NDArray[np.int32]]:
    """A batch with a special token around each text, and the words of its tokens."""
    token_ids: list[int] = []
    words: list[int] = []
    offsets = [0]
    for text in texts:
        token_ids.append(2)
        words.append(NO_WORD)
        for number, size in enumerate(text):
            token_ids += [5 + (number + place) % 45 for place in range(size)] or [1]
            words += [number] * size or [NO_WORD]
        token_ids.append(3)
        words.append(NO_WORD)
        offsets.append(len(token_ids))
    ids = np.array(token_ids, dtype=np.int32)
    lengths = np.diff(offsets)
    positions = np.concatenate([np.arange(length) for length in lengths]).astype(np.int32)
    batch = Batch(ids, positions, np.zeros_like(ids), np.array(offsets, dtype=np.int32), int(lengths.max()), ())
    return batch, np.array(words, dtype=np.int32)


def masked(texts: list[list[int]], seed: int = 0, **changes: float) -> tuple[Batch, NDArray[np.int32], MaskedBatch]:
    batch, words = make(texts)
    options = {"share": 0.15, "replaced": 0.8, "random": 0.1, **changes}
    masker = Masker(mask_id=MASK, ordinary=ORDINARY, **options)
    return batch, words, masker(batch, words, np.random.default_rng(seed))


@settings(deadline=None, max_examples=200)
@given(words_of_texts, st.integers(0, 1000))
def test_whole_words_are_masked_and_nothing_else(texts: list[list[int]], seed: int) -> None:
    batch, words, result = masked(texts, seed)
    chosen = np.zeros(batch.tokens, dtype=bool)
    chosen[result.positions] = True
    assert not chosen[words == NO_WORD].any()
    for start, end in zip(batch.offsets[:-1], batch.offsets[1:], strict=True):
        inside = words[start:end]
        fates = [chosen[start:end][inside == word] for word in set(inside.tolist()) - {NO_WORD}]
        assert all(fate.all() or not fate.any() for fate in fates), "a word is masked whole or not at all"
        picked = sum(bool(fate.all()) for fate in fates)
        assert (picked >= 1) == bool(fates), "each text with a word has a masked word"
        assert picked <= max(1, int(np.ceil(0.15 * len(fates))))
    assert np.array_equal(result.targets, batch.token_ids[result.positions])
    untouched = ~chosen
    assert np.array_equal(result.batch.token_ids[untouched], batch.token_ids[untouched])
    shown = result.batch.token_ids[result.positions]
    assert np.isin(shown, [MASK, *ORDINARY]).all(), "no random token is a special one"


def test_masks_are_determined_by_the_random_draws() -> None:
    texts = [[1] * 30] * 4
    first, again, other = (masked(texts, seed)[2] for seed in (1, 1, 2))
    assert np.array_equal(first.positions, again.positions)
    assert np.array_equal(first.batch.token_ids, again.batch.token_ids)
    assert not np.array_equal(first.positions, other.positions)


def test_shares_are_the_requested_ones() -> None:
    """15% of words and tokens: 80% become the mask, 10% random, 10% stay. The bounds are five standard errors."""
    texts = [[1, 2, 3] * 7] * 4000
    batch, words, result = masked(texts)
    maskable = int((words != NO_WORD).sum())
    assert abs(len(result.positions) / maskable - 0.15) < 5 * np.sqrt(0.15 * 0.85 * 2.4 / maskable)
    shown, count = result.batch.token_ids[result.positions], len(result.positions)
    for share, expected in (
        ((shown == MASK).mean(), 0.8),
        (((shown != MASK) & (shown != result.targets)).mean(), 0.1 * 44 / 45),
        ((shown == result.targets).mean(), 0.1 + 0.1 / 45),
    ):
        assert abs(share - expected) < 5 * np.sqrt(expected * (1 - expected) / count)
    assert batch.token_ids.max() < VOCABULARY


def test_a_share_of_one_masks_every_word() -> None:
    _, words, result = masked([[1, 2], [3]], share=1.0, replaced=1.0, random=0.0)
    assert np.array_equal(result.positions, np.flatnonzero(words != NO_WORD))
    assert (result.batch.token_ids[result.positions] == MASK).all()
