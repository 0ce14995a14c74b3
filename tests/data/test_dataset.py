"""The assembly of batches, checked against a simple implementation that builds one sequence at a time."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tokenizers import Tokenizer as FastTokenizer

from manyheads.data.batch import Batch
from manyheads.data.dataset import Split, assemble, count_cut, lengths
from manyheads.data.texts import TextStore, tokenise
from manyheads.data.tokenizer import Form, Template, Tokenizer
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.task import Pairing, Task

BERT = Template(
    single=Form(((101,), (102,)), ((0,), (0,)), (0,)),
    pair=Form(((101,), (102,), (102,)), ((0,), (0,), (1,)), (0, 1)),
)
ROBERTA = Template(
    single=Form(((0,), (2,)), ((0,), (0,)), (0,)),
    pair=Form(((0,), (2, 2), (2,)), ((0,), (0, 0), (0,)), (0, 0)),
)
BARE = Template(single=Form(((), ()), ((), ()), (0,)), pair=Form(((), (), ()), ((), (), ()), (0, 1)))

SIZES = [0, 1, 2, 3, 5, 8, 13, 21, 21, 40]
PAIRINGS: list[Pairing | None] = [None, "cross", "bi"]


def store_of(sizes: list[int]) -> TextStore:
    """Texts whose tokens encode text and position: 1000 * (text + 1) + position."""
    rows = [np.arange(size, dtype=np.int32) + 1000 * (text + 1) for text, size in enumerate(sizes)]
    offsets = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
    return TextStore(np.concatenate(rows), offsets)


STORE = store_of(SIZES)


def task_of(pair: Pairing | None, name: str = "task") -> Task:
    columns = ("text",) if pair is None else ("first", "second")
    return Task(
        name=name,
        kind=Classification([0, 1]),
        text=columns,
        label="label",
        id=None,
        pair=pair,
        head="linear",
        dropout=0.0,
        loss="cross_entropy",
        metric="accuracy",
    )


def split_of(pair: Pairing | None, index: list[tuple[int, int]], name: str = "task") -> Split:
    texts = np.array(index, dtype=np.int32).reshape(-1, 2)
    return Split(
        task=task_of(pair, name),
        ids=[f"id{row}" for row in range(len(index))],
        text_index=texts[:, :1] if pair is None else texts,
        targets=np.arange(len(index), dtype=np.float32),
        lines=np.arange(len(index), dtype=np.int64) + 2,
    )


@dataclass(frozen=True)
class Written:
    """One sequence of the simple implementation."""

    token_ids: list[int]
    segment_ids: list[int]
    cut: bool


def written(template: Template, max_length: int, texts: list[list[int]]) -> Written:
    form = template.single if len(texts) == 1 else template.pair
    kept = [list(text) for text in texts]
    while sum(map(len, kept)) + form.specials > max_length:
        longest = max(range(len(kept)), key=lambda place: (len(kept[place]), place))
        kept[longest].pop()
    ids, segments = list(form.special[0]), list(form.special_segments[0])
    for place, text in enumerate(kept):
        ids += [*text, *form.special[place + 1]]
        segments += [*[form.text_segments[place]] * len(text), *form.special_segments[place + 1]]
    return Written(ids, segments, kept != texts)


def expected(template: Template, max_length: int, split: Split, row: int) -> list[Written]:
    texts = [STORE[text].tolist() for text in split.text_index[row]]
    groups = [[text] for text in texts] if split.task.pair == "bi" else [texts]
    return [written(template, max_length, group) for group in groups]


def sequence(batch: Batch, place: int) -> tuple[list[int], list[int], list[int]]:
    span = slice(batch.offsets[place], batch.offsets[place + 1])
    return batch.token_ids[span].tolist(), batch.segment_ids[span].tolist(), batch.position_ids[span].tolist()


INDEX = st.lists(st.tuples(st.integers(0, len(SIZES) - 1), st.integers(0, len(SIZES) - 1)), min_size=1, max_size=12)


@st.composite
def picks_of_tasks(draw: st.DrawFn) -> list[tuple[Split, NDArray[np.int64]]]:
    picks = []
    for number in range(draw(st.integers(1, 3))):
        split = split_of(draw(st.sampled_from(PAIRINGS)), draw(INDEX), f"task{number}")
        rows = draw(st.lists(st.integers(0, len(split) - 1), min_size=1, max_size=10))
        picks.append((split, np.array(rows, dtype=np.int64)))
    return picks


@settings(deadline=None, max_examples=120)
@given(picks_of_tasks(), st.sampled_from([BERT, ROBERTA, BARE]), st.integers(4, 90), st.booleans())
def test_a_batch_has_the_expected_sequences_of_every_example(
    picks: list[tuple[Split, NDArray[np.int64]]], template: Template, max_length: int, deduplicate: bool
) -> None:
    batch = assemble(STORE, template, max_length, picks, deduplicate=deduplicate)
    assert [part.task for part in batch.parts] == [split.task.name for split, _ in picks]
    used: set[int] = set()
    cut = 0
    for part, (split, rows) in zip(batch.parts, picks, strict=True):
        assert part.examples.tolist() == rows.tolist()
        assert part.targets.tolist() == split.targets[rows].tolist()
        assert part.sequences.shape == (len(rows), split.task.sequences)
        for row, places in zip(rows, part.sequences, strict=True):
            sequences = expected(template, max_length, split, row)
            cut += any(each.cut for each in sequences)
            for place, each in zip(places, sequences, strict=True):
                positions = list(range(len(each.token_ids)))
                assert sequence(batch, place) == (each.token_ids, each.segment_ids, positions)
                used.add(int(place))
    assert used == set(range(batch.sequences))
    assert batch.cut == cut
    sizes = np.diff(batch.offsets)
    assert (batch.offsets[0], batch.offsets[-1], batch.tokens) == (0, len(batch.token_ids), len(batch.token_ids))
    assert batch.max_length == sizes.max() <= max_length


@settings(deadline=None, max_examples=60)
@given(INDEX, st.sampled_from(PAIRINGS), st.sampled_from([BERT, ROBERTA]), st.integers(4, 90))
def test_lengths_and_truncations_are_those_of_the_assembled_batch(
    index: list[tuple[int, int]], pair: Pairing | None, template: Template, max_length: int
) -> None:
    split = split_of(pair, index)
    found = lengths(STORE, template, max_length, split)
    assert found.dtype == np.int32
    for row in range(len(split)):
        assert assemble(STORE, template, max_length, [(split, np.array([row]))]).tokens == found[row]
    whole = assemble(STORE, template, max_length, [(split, np.arange(len(split)))])
    assert whole.cut == count_cut(STORE, template, max_length, split)
    assert whole.tokens == found.sum()


@pytest.mark.parametrize(
    ("sizes", "max_length", "kept"),
    [
        ((40, 5), 48, (40, 5)),  # it fits exactly
        ((40, 5), 47, (39, 5)),
        ((5, 40), 47, (5, 39)),
        ((40, 5), 13, (5, 5)),
        ((40, 5), 12, (5, 4)),  # the second of two equal ones is shorter
        ((21, 21), 44, (21, 20)),
        ((21, 21), 43, (20, 20)),
        ((40, 0), 8, (5, 0)),
        ((21, 21), 4, (1, 0)),
        ((21, 21), 3, (0, 0)),
    ],
)
def test_a_pair_in_one_sequence_is_truncated_from_its_longer_text_first(
    sizes: tuple[int, int], max_length: int, kept: tuple[int, int]
) -> None:
    store = store_of(list(sizes))
    batch = assemble(store, BERT, max_length, [(split_of("cross", [(0, 1)]), np.array([0]))])
    first, second = store[0][: kept[0]].tolist(), store[1][: kept[1]].tolist()
    assert batch.token_ids.tolist() == [101, *first, 102, *second, 102]
    assert batch.segment_ids.tolist() == [0] * (kept[0] + 2) + [1] * (kept[1] + 1)
    assert batch.cut == int(kept != sizes)


def test_a_bi_encoded_pair_is_two_sequences_that_are_truncated_separately() -> None:
    batch = assemble(STORE, BERT, 10, [(split_of("bi", [(9, 1), (2, 8)]), np.array([0, 1]))])
    (part,) = batch.parts
    assert sorted(part.sequences.ravel().tolist()) == [0, 1, 2, 3]
    assert sequence(batch, part.sequences[0, 0])[0] == [101, *STORE[9][:8].tolist(), 102]
    assert sequence(batch, part.sequences[0, 1])[0] == [101, *STORE[1].tolist(), 102]
    assert not batch.segment_ids.any()
    assert batch.cut == 2  # examples, not sequences


def test_an_example_with_two_truncated_texts_counts_once() -> None:
    split = split_of("bi", [(9, 9)])
    assert assemble(STORE, BERT, 10, [(split, np.array([0]))]).cut == count_cut(STORE, BERT, 10, split) == 1


@pytest.mark.parametrize(("pair", "plain", "once"), [(None, 4, 2), ("cross", 4, 3), ("bi", 8, 3)])
def test_equal_sequences_occur_once_if_deduplicated(pair: Pairing | None, plain: int, once: int) -> None:
    picks = [(split_of(pair, [(3, 4), (3, 5), (4, 3), (3, 4)]), np.arange(4))]
    assert assemble(STORE, BERT, 90, picks).sequences == plain
    assert assemble(STORE, BERT, 90, picks, deduplicate=True).sequences == once


def test_the_arrays_have_the_documented_types() -> None:
    batch = assemble(STORE, BERT, 20, [(split_of("cross", [(1, 2)]), np.array([0]))])
    assert {array.dtype for array in (batch.token_ids, batch.position_ids, batch.segment_ids, batch.offsets)} == {
        np.dtype(np.int32)
    }
    (part,) = batch.parts
    assert [part.sequences.dtype, part.examples.dtype, part.targets.dtype] == ["int64", "int64", "float32"]


@pytest.mark.parametrize("pair", PAIRINGS)
@pytest.mark.parametrize("deduplicate", [False, True])
def test_without_examples_a_batch_is_empty(pair: Pairing | None, deduplicate: bool) -> None:
    split = split_of(pair, [])
    batch = assemble(STORE, BERT, 20, [(split, np.zeros(0, dtype=np.int64))], deduplicate=deduplicate)
    assert (batch.tokens, batch.sequences, batch.max_length, batch.cut) == (0, 0, 0, 0)
    assert len(lengths(STORE, BERT, 20, split)) == count_cut(STORE, BERT, 20, split) == 0


def test_a_length_below_the_number_of_special_tokens_is_refused() -> None:
    split = split_of("cross", [(1, 2)])
    with pytest.raises(ValueError, match="special tokens"):
        assemble(STORE, ROBERTA, 3, [(split, np.array([0]))])


def test_taken_examples_keep_their_ids_texts_and_targets() -> None:
    split = split_of("bi", [(0, 1), (2, 3), (4, 5)])
    taken = split.take(np.array([2, 0]))
    assert len(taken) == 2
    assert taken.ids == ["id2", "id0"]
    assert taken.text_index.tolist() == [[4, 5], [0, 1]]
    assert taken.targets.tolist() == [2.0, 0.0]
    assert taken.lines.tolist() == [4, 2]


@pytest.mark.parametrize("folder", ["wordpiece_folder", "roberta_folder", "offline_folder"])
def test_a_pair_that_is_not_truncated_has_the_encoding_of_the_library(
    folder: str, request: pytest.FixtureRequest
) -> None:
    path: Path = request.getfixturevalue(folder)
    tokenizer = Tokenizer.load(path)
    first, second = "What is the first one?", "a second, longer text about nothing"
    store, index = tokenise([first, second], tokenizer, None)
    split = split_of("cross", [(int(index[0]), int(index[1]))])
    batch = assemble(store, tokenizer.template, 256, [(split, np.array([0]))])
    fast = FastTokenizer.from_file(str(path / "tokenizer.json"))
    fast.no_padding()
    fast.no_truncation()
    encoding = fast.encode(first, second)
    assert batch.token_ids.tolist() == encoding.ids
    assert batch.segment_ids.tolist() == encoding.type_ids
