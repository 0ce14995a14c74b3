"""Words: which tokens of a text form a word, so that whole words are masked."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer

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
