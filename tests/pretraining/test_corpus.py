"""The corpus: its texts, and the excluded texts by reason."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.errors import DataError
from manyheads.pretraining.texts import build_corpus, same

texts = st.lists(st.text(alphabet="ab ", max_size=6), max_size=20)


@settings(deadline=None, max_examples=200)
@given(texts, texts, texts, st.integers(0, 3), st.booleans())
def test_no_held_out_text_is_used_for_training_and_every_text_is_counted(
    train: list[str], dev: list[str], test: list[str], least: int, deduplicate: bool
) -> None:
    try:
        corpus = build_corpus(train, dev, test, min_characters=least, deduplicate=deduplicate)
    except DataError:
        return
    learnt = {same(text) for text in corpus.train}
    assert learnt.isdisjoint(map(same, dev))
    assert learnt.isdisjoint(map(same, test))
    assert all(len(same(text)) >= max(1, least) for text in [*corpus.train, *corpus.held_out])
    assert len({same(text) for text in corpus.held_out}) == len(corpus.held_out)
    counts = corpus.counts
    left_out = counts.short + counts.in_dev + counts.in_test + (counts.duplicates if deduplicate else 0)
    assert counts.texts == len(train) == left_out + counts.kept
    assert counts.kept == len(corpus.train)
    if deduplicate:
        assert len(learnt) == len(corpus.train)


def test_case_and_spacing_are_ignored() -> None:
    corpus = build_corpus(
        ["A good film", "a  good film ", "held out here", "in the test", "tiny", "A good film"],
        ["Held  OUT here", "other dev text", "tiny"],
        ["IN THE TEST"],
        min_characters=10,
        deduplicate=True,
    )
    assert corpus.train == ["A good film"]
    assert corpus.held_out == ["Held  OUT here", "other dev text"]
    assert corpus.counts.as_dict() == {
        "texts": 6,
        "short": 1,
        "in_dev": 1,
        "in_test": 1,
        "duplicates": 2,
        "empty": 0,
        "kept": 1,
    }


def test_duplicates_may_be_kept() -> None:
    corpus = build_corpus(["one text", "one text"], ["another"], [], min_characters=0, deduplicate=False)
    assert corpus.train == ["one text", "one text"]
    assert corpus.counts.duplicates == 1


@pytest.mark.parametrize(("train", "dev"), [(["same"], ["same"]), (["text"], []), ([], ["text"])])
def test_nothing_left_is_an_error(train: list[str], dev: list[str]) -> None:
    with pytest.raises(DataError, match=r"no (training|dev) text is left"):
        build_corpus(train, dev, [], min_characters=0, deduplicate=True)
