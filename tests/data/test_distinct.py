"""Equal texts are told as a dictionary tells them, in as many buckets as there may be."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manyheads.data.distinct
from manyheads.data.arrays import BLOCK
from manyheads.data.distinct import distinct, hashes_of, row_hashes


def numbered(texts: list[str]) -> list[int]:
    numbers: dict[str, int] = {}
    return [numbers.setdefault(text, len(numbers)) for text in texts]


@pytest.mark.parametrize("bucket", [1, 7, 1 << 15])
@settings(deadline=None, max_examples=60)
@given(texts=st.lists(st.text("ab \ud800ä", max_size=3), max_size=60))
def test_texts_are_numbered_by_first_occurrence(bucket: int, texts: list[str]) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(manyheads.data.distinct, "BUCKET", bucket)
        found = distinct(hashes_of(texts, len(texts)))
    assert found.index.tolist() == numbered(texts)
    assert found.count == len(set(texts))
    assert list(found.once(texts)) == list(dict.fromkeys(texts))


def test_many_texts_in_many_blocks_and_buckets() -> None:
    picks = np.random.default_rng(0).integers(0, 50_000, 5 * BLOCK + 3)
    texts = [str(pick) for pick in picks.tolist()]
    found = distinct(hashes_of(texts, len(texts)))
    assert found.index.tolist() == numbered(texts)
    assert found.count == len(set(texts))


def test_rows_differ_where_one_of_their_texts_does_and_not_in_outer_blanks() -> None:
    columns = (["a", " a", "ab", "a", "1:a"], ["b", "b ", "", "bb", "b"])
    assert distinct(row_hashes(columns, 5)).index.tolist() == [0, 0, 1, 2, 3]
