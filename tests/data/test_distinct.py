"""Equal texts are numbered as by a dictionary, for any number of buckets."""

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


def test_rows_with_a_different_text_differ_and_outer_blanks_do_not_count() -> None:
    columns = (["a", " a", "ab", "a", "1:a"], ["b", "b ", "", "bb", "b"])
    assert distinct(row_hashes(columns, 5)).index.tolist() == [0, 0, 1, 2, 3]
