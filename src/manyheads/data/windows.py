"""Overlapping windows over the tokens of long texts, for tasks that read every word."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manyheads.ragged import Ragged, offsets_of

Ints = NDArray[np.int64]

OVERLAP = 4
"""Neighbouring windows share at least one token in OVERLAP. A word in both takes its vector from the window in which it
is further from an edge, so it has at least an eighth of a window on both sides, as far as the text has it."""


def windows_of(lengths: Ints, room: int) -> Ragged:
    """Return the first token of each window of texts with these numbers of tokens: int64, ragged.

    `room`: the tokens of a window. A text that fits has one window. The last window of a longer text ends with it.

    Raises:
        ValueError: `room` is less than 1.
    """
    if room < 1:
        raise ValueError("a window has no room for a token of the text")
    step = max(1, room - room // OVERLAP)
    beyond = np.maximum(lengths - room, 0)
    counts = 1 + -(-beyond // step)
    offsets = offsets_of(counts)
    number = np.arange(int(offsets[-1])) - np.repeat(offsets[:-1], counts)
    return Ragged(np.minimum(number * step, np.repeat(beyond, counts)), offsets)


def window_of_words(tokens: Ragged, windows: Ragged, lengths: Ints, room: int) -> Ints:
    """Return the window of each word, counted within its text: int64[N].

    It is the window in which the word's first token is furthest from an edge that is not an end of the text, the first
    one of equals. `tokens`: the first token of each word, -1 if it has none, which is in the first window.
    """
    owners, places = tokens.owners, tokens.values
    chosen = np.zeros(len(places), dtype=np.int64)
    several = np.flatnonzero((windows.lengths[owners] > 1) & (places >= 0))
    if not len(several):
        return chosen
    own, place = owners[several], places[several]
    best = np.full(len(several), -1, dtype=np.int64)
    far = np.iinfo(np.int64).max
    for number in range(int(windows.lengths.max())):
        exists = windows.lengths[own] > number
        start = windows.values[np.minimum(windows.offsets[own] + number, windows.offsets[own + 1] - 1)]
        before = np.where(start == 0, far, place - start)
        after = np.where(start + room >= lengths[own], far, start + room - 1 - place)
        inside = exists & (place >= start) & (place < start + room)
        margin = np.where(inside, np.minimum(before, after), -1)
        better = margin > best
        chosen[several[better]], best[better] = number, margin[better]
    return chosen
