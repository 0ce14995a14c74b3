"""Masking: which tokens the model must predict, what replaces them, and which tokens form a word."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer

Ints = NDArray[np.int64]

NAME = "masked"
"""The name of the loss, in place of a task's name."""


@dataclass(frozen=True)
class MaskedBatch:
    """A batch with masked tokens. `targets`: int64[m], the original ids at `positions`: int64[m], ascending."""

    batch: Batch
    positions: Ints
    targets: Ints

    @property
    def tokens(self) -> int:
        """The number of real tokens."""
        return self.batch.tokens

    @property
    def examples(self) -> int:
        """The number of texts."""
        return self.batch.sequences

    @property
    def rows(self) -> int:
        """The number of texts."""
        return self.examples

    @property
    def row_counts(self) -> dict[str, int]:
        """The number of texts, under the name of the loss."""
        return {NAME: self.examples}

    @property
    def label_counts(self) -> dict[str, int]:
        """The number of masked tokens, under the name of the loss."""
        return {NAME: len(self.targets)}


@dataclass(frozen=True)
class Masker:
    """Masks words of a batch.

    A `share` of each sequence's words is chosen, at least one. Of their tokens, a share `replaced` becomes `mask_id`,
    a share `random` becomes one of the `ordinary` ids, and the rest stays.

    Source: Devlin et al., 2019, section 3.1, and their whole-word masking.
    """

    mask_id: int
    ordinary: Ints
    share: float
    replaced: float
    random: float

    def __call__(self, batch: Batch, words: NDArray[np.int32], draws: np.random.Generator) -> MaskedBatch:
        """Mask words. `words`: int32[T]. Neighbours with the same number are one word, and -1 is never masked."""
        positions = np.flatnonzero(_chosen(words, batch.offsets, self.share, draws))
        targets = batch.token_ids[positions].astype(np.int64)
        fate = draws.random(len(positions))
        others = self.ordinary[draws.integers(len(self.ordinary), size=len(positions))]
        shown = np.select([fate < self.replaced, fate < self.replaced + self.random], [self.mask_id, others], targets)
        token_ids = batch.token_ids.copy()
        token_ids[positions] = shown
        return MaskedBatch(replace(batch, token_ids=token_ids), positions, targets)


def _chosen(
    words: NDArray[np.int32], offsets: NDArray[np.int32], share: float, draws: np.random.Generator
) -> NDArray[np.bool_]:
    """Choose words and return which tokens belong to them: bool[T].

    Of w words, share * w are chosen, rounded up or down at random so that the mean is exact, and at least one.
    """
    sequence = np.repeat(np.arange(len(offsets) - 1), np.diff(offsets))
    maskable = words != NO_WORD
    first = maskable.copy()
    first[1:] &= (words[1:] != words[:-1]) | (sequence[1:] != sequence[:-1])
    owner = sequence[first]
    counts = np.bincount(owner, minlength=len(offsets) - 1)
    wanted = np.maximum(1, np.floor(share * counts + draws.random(len(counts))).astype(np.int64))
    order = np.lexsort((draws.random(len(owner)), owner))
    rank = np.arange(len(owner)) - (np.cumsum(counts) - counts)[owner]
    taken = np.zeros(len(owner), dtype=bool)
    taken[order] = rank < wanted[owner]
    chosen: NDArray[np.bool_] = maskable & np.append(taken, False)[np.cumsum(first) - 1]
    return chosen


NO_WORD = -1
"""The word number of a token that is never masked: special tokens, including the unknown token."""

STARTS = ("Ġ", "Ċ", "ĉ", "▁")
"""Marks of tokens that begin a word: space, line break or tab in byte-level vocabularies, and SentencePiece's mark."""


def word_numbers(store: TextStore, texts: Sequence[str], tokenizer: Tokenizer, *, whole: bool) -> TextStore:
    """Return the word number of every token, counted over the whole store. It is -1 for tokens that are never masked.

    In a WordPiece vocabulary, tokens with the continuation prefix ("##") continue a word. In byte-level and
    SentencePiece vocabularies, tokens with the space mark begin one. Without such marks, words are those of the
    tokenizer. If not `whole`, every token is a word. The result has the shape of a store and is batched like tokens.
    """
    ids = np.asarray(store.token_ids)
    begins = np.ones(len(ids), dtype=bool)
    if whole:
        marks = _begins(tokenizer)
        begins = _own_words(texts, tokenizer) if marks is None else marks[ids]
        begins[store.offsets[:-1][store.lengths > 0]] = True
    special = np.isin(ids, list(tokenizer.special_ids))
    numbers = np.where(special, NO_WORD, np.cumsum(begins)).astype(np.int32)
    return TextStore(numbers, store.offsets)


def _begins(tokenizer: Tokenizer) -> NDArray[np.bool_] | None:
    """Return for every id whether it begins a word. None if the vocabulary has no marks."""
    pieces = tokenizer.pieces
    if tokenizer.continuation is not None:
        prefix = tokenizer.continuation
        return np.array([not piece.startswith(prefix) for piece in pieces])
    marked = np.array([piece.startswith(STARTS) for piece in pieces])
    return marked if marked.any() else None


def _own_words(texts: Sequence[str], tokenizer: Tokenizer) -> NDArray[np.bool_]:
    begins = [np.diff(words, prepend=-1) != 0 for words in tokenizer.words(texts)]
    return np.concatenate(begins) if begins else np.zeros(0, dtype=bool)
