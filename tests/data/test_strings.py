"""Texts on the disk are equal to the list that was written."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.arrays import BLOCK, Joined, Strings, StringsFile
from manyheads.data.cache import entry


def written(texts: list[str]) -> Strings:
    def fill(folder: Path) -> None:
        with StringsFile(folder, "texts") as file:
            for start in range(0, len(texts), 7):
                file.append(texts[start : start + 7])

    return Strings.of(entry(None, fill), "texts")


@settings(deadline=None, max_examples=60)
@given(st.lists(st.text(st.characters(codec=None), max_size=5), max_size=30), st.data())
def test_texts_are_read_back_unchanged(texts: list[str], data: st.DataObject) -> None:
    found = written(texts)
    assert (len(found), list(found), found) == (len(texts), texts, texts)
    places = data.draw(st.lists(st.integers(0, len(texts) - 1), max_size=10)) if texts else []
    rows = np.array(places, dtype=np.int64)
    assert list(found.take(rows)) == [texts[place] for place in places]
    assert list(found.take(rows).take(np.arange(len(rows))[::-1])) == [texts[place] for place in reversed(places)]
    for place in places:
        assert found[place] == found[place - len(texts)] == texts[place]
    assert found[1:4] == texts[1:4]
    assert found != [*texts, "one more"]


def test_texts_of_several_blocks() -> None:
    texts = [str(number) for number in range(BLOCK + 10)]
    assert list(written(texts)) == texts


@pytest.mark.parametrize("place", [3, -4])
def test_an_index_out_of_range_is_an_error(place: int) -> None:
    with pytest.raises(IndexError):
        written(["a", "b", "c"])[place]
    with pytest.raises(IndexError):
        Joined([written(["a"]), ["b", "c"]])[place]


def test_joined_sequences_are_one() -> None:
    whole = Joined([["a", "b"], written(["c"]), []])
    assert (len(whole), list(whole), whole[2], whole[-1], whole[0:2]) == (3, ["a", "b", "c"], "c", "c", ["a", "b"])
