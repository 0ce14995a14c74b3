"""Split: one task's examples as indices into a text store; and the assembly of batches from them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import blocks, scratch
from manyheads.data.batch import Batch, Part
from manyheads.data.examples import taken
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Form, Template
from manyheads.tasks.task import Task

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """n examples of a task.

    `text_index`: int32[n, 1 or 2] into the text store; `targets`: float32[n], NaN where there is none;
    `lines`: where each stood in its file.
    """

    task: Task
    ids: Sequence[str]
    text_index: NDArray[np.int32]
    targets: NDArray[np.float32]
    lines: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.text_index)

    def take(self, rows: Ints) -> Split:
        """Some of the examples, in the order given."""
        return Split(self.task, taken(self.ids, rows), self.text_index[rows], self.targets[rows], self.lines[rows])


@dataclass(frozen=True)
class _Sequences:
    """Sequences of one form: for each, the texts it is made of (int64[s, 1 or 2]) and the tokens kept of each."""

    form: Form
    texts: Ints
    kept: Ints

    @property
    def lengths(self) -> Ints:
        lengths: Ints = self.kept.sum(axis=1) + self.form.specials
        return lengths


def assemble(
    store: TextStore,
    template: Template,
    max_length: int,
    picks: Sequence[tuple[Split, Ints]],
    *,
    deduplicate: bool = False,
) -> Batch:
    """A batch of the picked examples: `picks` pairs a split with indices into it.

    Special tokens are put on here, and what is longer than `max_length` (special tokens counted) is cut: a single
    text at its end, a pair that shares a sequence on its longer side first. With `deduplicate`, equal sequences of a
    part stand once; only for passes without dropout.

    Raises:
        ValueError: `max_length` does not hold the special tokens alone.
    """
    groups: list[_Sequences] = []
    parts: list[Part] = []
    first, cut = 0, 0
    for split, examples in picks:
        texts = split.text_index[examples].astype(np.int64)
        rows, places = _rows(split.task, texts, deduplicate)
        group, was_cut = _fit(store, template, max_length, rows)
        places = places + first
        parts.append(Part(split.task.name, examples, places, split.targets[examples]))
        cut += int(was_cut[places - first].any(axis=1).sum())
        groups.append(group)
        first += len(rows)
    return _write(store, groups, tuple(parts), cut)


def assemble_texts(store: TextStore, template: Template, max_length: int, texts: Ints) -> Batch:
    """A batch of single texts (int64[n], indices into the store) that belongs to no task: its `parts` are empty."""
    group, was_cut = _fit(store, template, max_length, texts[:, None])
    return _write(store, [group], (), int(was_cut.sum()))


def lengths(store: TextStore, template: Template, max_length: int, split: Split) -> NDArray[np.int32]:
    """Tokens that each example takes in a batch, all its sequences and special tokens counted: int32[n]."""
    total: NDArray[np.int32] = scratch(len(split), np.int32)
    for start, stop in blocks(len(split)):
        rows, places = _rows(split.task, split.text_index[start:stop].astype(np.int64), deduplicate=False)
        group, _ = _fit(store, template, max_length, rows)
        total[start:stop] = group.lengths[places].sum(axis=1)
    return total


def sequences_of(store: TextStore, template: Template, max_length: int, split: Split) -> tuple[Form, Ints, Ints]:
    """The sequences of all examples: their form, the texts they are made of, and how many tokens of each are kept.

    Both int64[n, sides, columns]: one side of one or two texts, or two sides of one text each.
    """
    rows, places = _rows(split.task, split.text_index.astype(np.int64), deduplicate=False)
    group, _ = _fit(store, template, max_length, rows)
    return group.form, group.texts[places], group.kept[places]


def text_lengths(store: TextStore, template: Template, max_length: int, texts: Ints) -> NDArray[np.int32]:
    """Tokens that single texts (int64[n], indices into the store) take as sequences of their own: int32[n]."""
    group, _ = _fit(store, template, max_length, texts[:, None])
    return group.lengths.astype(np.int32)


def count_cut(store: TextStore, template: Template, max_length: int, split: Split) -> int:
    """How many examples of a split lose tokens to fit `max_length`."""
    cut = 0
    for start, stop in blocks(len(split)):
        rows, places = _rows(split.task, split.text_index[start:stop].astype(np.int64), deduplicate=False)
        _, was_cut = _fit(store, template, max_length, rows)
        cut += int(was_cut[places].any(axis=1).sum())
    return cut


def _rows(task: Task, texts: Ints, deduplicate: bool) -> tuple[Ints, Ints]:
    """Which texts each sequence is made of, and for each example its sequence(s): rows[s, 1|2], places[n, 1|2]."""
    rows = texts.T.reshape(-1, 1) if task.sequences == 2 else texts
    if not deduplicate:
        return rows, np.arange(len(rows)).reshape(task.sequences, len(texts)).T
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    return distinct, inverse.reshape(task.sequences, len(texts)).T


def _fit(store: TextStore, template: Template, max_length: int, rows: Ints) -> tuple[_Sequences, NDArray[np.bool_]]:
    """How many tokens of each text are kept, and which sequences were cut."""
    form = template.single if rows.shape[1] == 1 else template.pair
    full = store.offsets[rows + 1] - store.offsets[rows]
    room = max_length - form.specials
    if room < 0:
        raise ValueError(f"{max_length} tokens do not hold the {form.specials} special tokens of a sequence")
    kept = np.minimum(full, room) if rows.shape[1] == 1 else _longest_first(full, room)
    return _Sequences(form, rows, kept), kept.sum(axis=1) < full.sum(axis=1)


def _longest_first(full: Ints, room: int) -> Ints:
    """Take tokens from the longer text, one at a time, until both fit (from the second of two equal ones): int64[s, 2].

    In closed form: first the difference in length goes, then both sides lose half of what is left over.
    """
    first, second = full[:, 0], full[:, 1]
    excess = np.maximum(first + second - room, 0)
    off_longer = np.minimum(excess, np.abs(first - second))
    rest = excess - off_longer
    cut_first = np.where(first > second, off_longer, 0) + rest // 2
    cut_second = np.where(second > first, off_longer, 0) + (rest + 1) // 2
    return np.stack([first - cut_first, second - cut_second], axis=1)


def _write(store: TextStore, groups: Sequence[_Sequences], parts: tuple[Part, ...], cut: int) -> Batch:
    sizes = np.concatenate([group.lengths for group in groups])
    offsets = np.zeros(len(sizes) + 1, dtype=np.int64)
    np.cumsum(sizes, out=offsets[1:])
    token_ids = np.empty(offsets[-1], dtype=np.int32)
    segment_ids = np.empty(offsets[-1], dtype=np.int32)
    first = 0
    for group in groups:
        _write_group(store, group, offsets[first : first + len(group.texts)], token_ids, segment_ids)
        first += len(group.texts)
    return Batch(
        token_ids=token_ids,
        position_ids=_ranges(np.zeros(len(sizes), dtype=np.int64), sizes).astype(np.int32),
        segment_ids=segment_ids,
        offsets=offsets.astype(np.int32),
        max_length=int(sizes.max(initial=0)),
        parts=parts,
        cut=cut,
    )


def _write_group(
    store: TextStore, group: _Sequences, starts: Ints, token_ids: NDArray[np.int32], segment_ids: NDArray[np.int32]
) -> None:
    """Lay special tokens and texts, in turn, from `starts` on."""
    at = starts.copy()
    for place, (tokens, segments) in enumerate(zip(group.form.special, group.form.special_segments, strict=True)):
        for token, segment in zip(tokens, segments, strict=True):
            token_ids[at] = token
            segment_ids[at] = segment
            at += 1
        if place < group.texts.shape[1]:
            kept = group.kept[:, place]
            target = _ranges(at, kept)
            token_ids[target] = store.token_ids[_ranges(store.offsets[group.texts[:, place]], kept)]
            segment_ids[target] = group.form.text_segments[place]
            at += kept


def _ranges(starts: Ints, counts: Ints) -> Ints:
    """start, start + 1, ... for every start, `counts` of them each, one after another."""
    ends = np.cumsum(counts)
    total = int(ends[-1]) if len(ends) else 0
    return np.repeat(starts - (ends - counts), counts) + np.arange(total)
