"""Windows over long texts."""

import numpy as np
import pytest

from manyheads.data.dataset import window_of_words, windows_of
from manyheads.ragged import Ragged


@pytest.mark.parametrize("room", [1, 2, 3, 5, 8, 64])
def test_windows_cover_every_token_and_none_is_longer_than_its_room(room: int) -> None:
    lengths = np.array([0, 1, room, room + 1, 3 * room - 1, 200], dtype=np.int64)
    windows = windows_of(lengths, room)
    for length, starts in zip(lengths.tolist(), windows, strict=True):
        covered = {token for start in starts.tolist() for token in range(start, min(start + room, length))}
        assert covered == set(range(length))
        assert starts[0] == 0
        assert (len(starts) == 1) == (length <= room)
        assert (np.diff(starts) > 0).all()
        assert starts[-1] == max(0, length - room)


def test_neighbouring_windows_overlap_by_a_quarter() -> None:
    (starts,) = windows_of(np.array([100]), 40)
    assert starts.tolist() == [0, 30, 60]


def test_a_word_is_in_the_window_in_which_it_is_furthest_from_an_edge() -> None:
    lengths = np.array([100, 3], dtype=np.int64)
    windows = windows_of(lengths, 40)
    tokens = Ragged.of([list(range(100)), [0, -1, 2]], np.int64)
    chosen = window_of_words(tokens, windows, lengths, 40)
    own = chosen[:100]
    # Tokens 30 to 39 are in the first two windows: 34 is 5 from the end of the first and 4 from the begin of the
    # second.
    assert own[34] == 0
    assert own[35] == 1
    assert own[99] == 2
    assert chosen[100:].tolist() == [0, 0, 0]
    starts = windows[0][own]
    place = np.arange(100) - starts
    assert ((place >= 0) & (place < 40)).all()
    inner = (np.arange(100) >= 5) & (np.arange(100) < 95)
    assert (np.minimum(place, 39 - place)[inner] >= 4).all()


def test_a_window_without_room_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        windows_of(np.array([3]), 0)
