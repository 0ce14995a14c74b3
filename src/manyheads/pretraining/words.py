"""Words: which tokens of a text belong together, so that a word is masked whole."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer

NO_WORD = -1
"""The word of a token that is never masked: a special one, the unknown token among them."""

STARTS = ("Ġ", "Ċ", "ĉ", "▁")
"""How tokens begin that begin a word: a space, line break or tab in byte-level vocabularies, and SentencePiece's."""


def word_numbers(store: TextStore, texts: Sequence[str], tokenizer: Tokenizer, *, whole: bool) -> TextStore:
    """For every token of a store the number of its word, counted over the whole store; -1 where it is never masked.

    A word goes on with the continuation prefix of a WordPiece vocabulary ("##"), and begins with the space mark of
    byte-level and SentencePiece vocabularies; where a vocabulary has no marks, the words are the tokenizer's own.
    Not `whole`: every token is a word. The result has the shape of a store, so that it is batched as tokens are.
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
    """For every id whether a word begins with it, or None where the vocabulary does not say."""
    pieces = tokenizer.pieces
    if tokenizer.continuation is not None:
        prefix = tokenizer.continuation
        return np.array([not piece.startswith(prefix) for piece in pieces])
    marked = np.array([piece.startswith(STARTS) for piece in pieces])
    return marked if marked.any() else None


def _own_words(texts: Sequence[str], tokenizer: Tokenizer) -> NDArray[np.bool_]:
    found = [np.diff(words, prepend=-1) != 0 for words in tokenizer.words(texts)]
    return np.concatenate(found) if found else np.zeros(0, dtype=bool)
