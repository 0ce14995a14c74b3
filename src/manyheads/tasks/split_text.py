"""Texts whose words are known, and the words of texts that are plain."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

Spans = NDArray[np.int64]
"""int64[w, 2], the first character of each word and the first one after it."""

BLANKS = re.compile(r"\S+")

PUNCTUATION = re.compile(r"\w+|[^\w\s]")
"""Runs of letters, digits and underscores, and single other characters."""


class SplitText(str):
    """A text that is given as words: they are joined by blanks. It equals its text. `spans`: the places of the words.

    A word may itself contain white space.
    """

    __slots__ = ("spans",)

    spans: Spans

    def __new__(cls, words: Sequence[str]) -> SplitText:
        """Join words."""
        made = super().__new__(cls, " ".join(words))
        lengths = np.array([len(word) for word in words], dtype=np.int64)
        ends = np.cumsum(lengths + 1) - 1
        made.spans = np.stack([ends - lengths, ends], axis=1)
        return made


def _matches(pattern: re.Pattern[str]) -> Callable[[str], Spans]:
    def spans(text: str) -> Spans:
        return np.array([match.span() for match in pattern.finditer(text)], dtype=np.int64).reshape(-1, 2)

    return spans


SPLITS: Mapping[str, Callable[[str], Spans]] = {"blanks": _matches(BLANKS), "punctuation": _matches(PUNCTUATION)}
"""How a plain text is split into words: at white space, or also around every punctuation mark."""


def spans_of(text: str, split: str) -> Spans:
    """Return the words of a text: those that it was given as, or those that a member of `SPLITS` finds."""
    return text.spans if isinstance(text, SplitText) else SPLITS[split](text)
