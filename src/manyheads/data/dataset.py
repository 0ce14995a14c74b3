"""Split: the examples of one task as indices into a text store, and the assembly of batches from them.

Tasks that read every word divide long texts into overlapping windows.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import blocks, scratch
from manyheads.data.batch import Batch, Part
from manyheads.data.examples import taken
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Form, Template
from manyheads.ragged import Ragged, Rows, offsets_of, ranges
from manyheads.tasks.kind import Predictions, known
from manyheads.tasks.task import Task

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Split:
    """n examples of a task.

    `text_index`: int32[n, columns], indices into the text store. `targets`: float32[n, ...],
    NaN if an example has none; or ragged.
    `lines`: int64[n], the line of each example in its file. `groups`: int64[n], equal for examples that belong
    together, in any task; None if the task names no column of groups. `weights`: float32[n], the weight of each
    example in the loss, with mean 1; None if the task names no column of weights, or the examples are not for training.
    `soft`: float32[n, ...], soft labels; None for a task without. `words`: int64[N, 3], ragged, of each word the first
    character, the one after it, and the first token in its text, -1 if it has none; None for a task that does not read
    words. `texts`: the texts of one column, where they are available. `unknown`: the labels of each example of which
    some are not in the label space, as JSON, "" for the others; None if there is none. `candidates`: int32, ragged, the
    candidates of each example as indices into the text store; None for a task without. `candidate_texts`: their texts,
    where they are available.
    """

    task: Task
    ids: Sequence[str]
    text_index: NDArray[np.int32]
    targets: Rows
    lines: NDArray[np.int64]
    groups: NDArray[np.int64] | None = None
    weights: NDArray[np.float32] | None = None
    soft: NDArray[np.float32] | None = None
    words: Ragged | None = None
    texts: Sequence[str] | None = None
    unknown: Sequence[str] | None = None
    candidates: Ragged | None = None
    candidate_texts: Sequence[Sequence[str]] | None = None

    def __len__(self) -> int:
        return len(self.text_index)

    @property
    def pairs(self) -> Split:
        """The pairs of each text and its candidates, one after another, as examples without targets.

        Raises:
            ValueError: The task has no candidates.
        """
        if self.candidates is None:
            raise ValueError(f"task {self.task.name} has no candidates")
        owners = self.candidates.owners
        index = np.column_stack([np.asarray(self.text_index)[owners, 0], self.candidates.values]).astype(np.int32)
        nothing = np.full(len(owners), np.nan, dtype=np.float32)
        return Split(self.task, [""] * len(owners), index, nothing, np.zeros(len(owners), dtype=np.int64))

    @property
    def labels(self) -> int:
        """The number of examples that have a target."""
        return int(np.count_nonzero(known(self.targets)))

    @property
    def labelled(self) -> Split:
        """The examples that have a target."""
        labelled = known(self.targets)
        return self if labelled.all() else self.take(np.flatnonzero(labelled))

    def take(self, rows: Ints) -> Split:
        """Return the examples with these indices, in that order."""
        groups = None if self.groups is None else self.groups[rows]
        weights = None if self.weights is None else self.weights[rows]
        soft = None if self.soft is None else self.soft[rows]
        words = None if self.words is None else self.words[rows]
        texts = None if self.texts is None else taken(self.texts, rows)
        unknown = None if self.unknown is None else taken(self.unknown, rows)
        own = (
            self.text_index[rows],
            self.targets[rows],
            self.lines[rows],
            groups,
            weights,
            soft,
            words,
            texts,
            unknown,
        )
        candidates = None if self.candidates is None else self.candidates[rows]
        candidate_texts = None if self.candidate_texts is None else [self.candidate_texts[row] for row in rows]
        return Split(self.task, taken(self.ids, rows), *own, candidates, candidate_texts)

    def decode(self, outputs: Rows, *, together: bool = False) -> Predictions:
        """Decode the outputs of a head for these examples, with the places of the words.

        `together`: as an evaluation does, in which predictions may depend on the other examples.

        Raises:
            EncoderError: An output is not finite.
        """
        kind = self.task.kind
        decoded = kind.decode_split(outputs, self.text_index) if together else kind.decode(outputs)
        if self.candidates is not None:
            return replace(decoded, candidates=self.candidate_texts)
        if self.words is None:
            return decoded
        return replace(decoded, places=Ragged(self.words.values[:, :2], self.words.offsets), texts=self.texts)


@dataclass(frozen=True)
class Stream:
    """Rows with the labels of one or several tasks. Each row is encoded once for all of them.

    `name`: the name of the only task, or the names of all tasks. `splits`: a split for each task, all with the same
    rows. The target of a row is NaN for a task of which it has no label.
    """

    name: str
    splits: tuple[Split, ...]

    def __len__(self) -> int:
        return len(self.splits[0])


@dataclass(frozen=True)
class _Sequences:
    """Sequences of one form: the texts of each sequence and the tokens kept of each text, both int64[s, 1 or 2].

    `first`: int64[s], the first token that is kept of each text. Default: 0.
    """

    form: Form
    texts: Ints
    kept: Ints
    first: Ints | None = None

    @property
    def lengths(self) -> Ints:
        lengths: Ints = self.kept.sum(axis=1) + self.form.specials
        return lengths


def assemble(
    store: TextStore,
    template: Template,
    max_length: int,
    picks: Sequence[tuple[Split | Stream, Ints]],
    *,
    deduplicate: bool = False,
) -> Batch:
    """Return a batch of the picked examples. `picks` pairs each split or stream with indices into it.

    A stream of several tasks has a part for each task. The parts share sequences.

    Special tokens are added here. A sequence with more than `max_length` tokens, special tokens included, is
    truncated: a single text at its end, a pair in one sequence from its longer text first. For a task that reads words
    it is divided into overlapping windows, each a sequence. A row with candidates has a sequence per candidate, or if
    they are bi-encoded one for its text and one per candidate. With `deduplicate`, equal
    sequences of a part occur once. Use it only for passes without dropout.

    Raises:
        ValueError: `max_length` is less than the number of special tokens.
    """
    groups: list[_Sequences] = []
    parts: list[Part] = []
    first, cut = 0, 0
    for source, examples in picks:
        splits = source.splits if isinstance(source, Stream) else (source,)
        stream = source.name if isinstance(source, Stream) else None
        texts = splits[0].text_index[examples].astype(np.int64)
        windows: Ragged | None = None
        candidates = splits[0].candidates
        if candidates is not None:
            group, sequences, chosen = _with_candidates(
                store, template, max_length, splits[0].task, texts[:, 0], candidates[examples]
            )
            windows = Ragged(first + sequences.values, sequences.offsets)
            places = windows.values[windows.offsets[:-1], None]
            was_cut = sequences.sums(_cut(store, group)[sequences.values]) > 0
        elif any(each.words is not None for each in splits):
            group, starts = _windowed(store, template, max_length, texts[:, 0])
            windows = Ragged(first + np.arange(len(starts.values)), starts.offsets)
            places = windows.values[starts.offsets[:-1], None]
            was_cut = np.asarray(starts.lengths > 1)
        else:
            rows, places = _rows(splits[0].task, texts, deduplicate)
            group, sequences_cut = _fit(store, template, max_length, rows)
            was_cut, places = np.asarray(sequences_cut[places].any(axis=1)), places + first
        for each in splits:
            part = Part(
                each.task.name,
                examples,
                places,
                each.targets[examples],
                None if each.weights is None else each.weights[examples],
                None if each.soft is None else each.soft[examples],
                stream,
                windows,
                texts=texts,
            )
            if each.words is not None and windows is not None:
                words = each.words[examples]
                if stream is not None:
                    words = _only(words, known(part.targets))
                full = store.offsets[texts[:, 0] + 1] - store.offsets[texts[:, 0]]
                part = replace(part, words=_of_words(words, windows, starts, full, max_length, group.form))
            if candidates is not None:
                part = replace(part, candidates=Ragged(first + chosen.values, chosen.offsets))
            parts.append(part)
        if any(each.words is None for each in splits):
            cut += int(was_cut.sum())
        groups.append(group)
        first += len(group.texts)
    return _write(store, groups, tuple(parts), cut)


def assemble_texts(store: TextStore, template: Template, max_length: int, texts: Ints) -> Batch:
    """Return a batch of single texts (int64[n], indices into the store) without tasks: its `parts` are empty."""
    group, was_cut = _fit(store, template, max_length, texts[:, None])
    return _write(store, [group], (), int(was_cut.sum()))


def assemble_rows(store: TextStore, template: Template, max_length: int, rows: Sequence[Ints]) -> Batch:
    """Return a batch of sequences without tasks. `rows`: groups of int64[n, 1 or 2] indices into the store."""
    fitted = [_fit(store, template, max_length, group) for group in rows if len(group)]
    return _write(store, [group for group, _ in fitted], (), int(sum(cut.sum() for _, cut in fitted)))


def assemble_shared(
    store: TextStore,
    template: Template,
    max_length: int,
    rows: Ints,
    readers: Sequence[tuple[Split, Ints, Ints]],
) -> Batch:
    """Return a batch of distinct rows that several splits read, each an example of one sequence.

    `rows`: int64[s, 1 or 2], indices into the store. `readers`: the splits with some examples, int64[n], and the place
    of each among the rows. A text that a task of words reads is divided into windows. The other tasks read the first.
    """
    starts: Ragged | None = None
    sequences = np.arange(len(rows))
    in_words = np.zeros(len(rows), dtype=bool)
    for split, _, places in readers:
        in_words[places] |= split.words is not None
    if in_words.any():
        group, starts = _windowed(store, template, max_length, rows[:, 0], in_words)
        sequences = np.asarray(starts.offsets)[:-1]
    else:
        group, _ = _fit(store, template, max_length, rows)
    parts = []
    for split, examples, places in readers:
        part = Part(split.task.name, examples, sequences[places][:, None], split.targets[examples])
        if split.words is not None and starts is not None:
            numbers = Ragged(np.arange(len(starts.values)), starts.offsets)
            texts = rows[places, 0]
            full = store.offsets[texts + 1] - store.offsets[texts]
            own = (split.words[examples], numbers[places], starts[places], full, max_length, group.form)
            part = replace(part, words=_of_words(*own))
        parts.append(part)
    return _write(store, [group], tuple(parts), 0)


def row_lengths(store: TextStore, template: Template, max_length: int, rows: Ints) -> NDArray[np.int32]:
    """Return the number of tokens of sequences of one or two texts (int64[n, 1 or 2]): int32[n]."""
    group, _ = _fit(store, template, max_length, rows)
    return group.lengths.astype(np.int32)


def lengths(store: TextStore, template: Template, max_length: int, split: Split) -> NDArray[np.int32]:
    """Return the number of tokens of each example in a batch, all sequences and special tokens included: int32[n]."""
    total: NDArray[np.int32] = scratch(len(split), np.int32)
    for start, stop in blocks(len(split)):
        texts = split.text_index[start:stop, 0].astype(np.int64)
        if split.words is not None:
            group, windows = _windowed(store, template, max_length, texts)
            total[start:stop] = windows.sums(group.lengths)
            continue
        if split.candidates is not None:
            own = split.candidates[start:stop]
            group, sequences, _ = _with_candidates(store, template, max_length, split.task, texts, own)
            total[start:stop] = sequences.sums(group.lengths[sequences.values])
            continue
        rows, places = _rows(split.task, split.text_index[start:stop].astype(np.int64), deduplicate=False)
        group, _ = _fit(store, template, max_length, rows)
        total[start:stop] = group.lengths[places].sum(axis=1)
    return total


def sequences_of(store: TextStore, template: Template, max_length: int, split: Split) -> tuple[Form, Ints, Ints]:
    """Return the sequences of all examples: their form, their texts, and the number of tokens kept of each text.

    Texts and numbers are int64[n, sequences, texts]: one sequence of one or two texts, or several of one text. A split
    with candidates must have one example, whose sequences are in the order of a batch.
    """
    if split.candidates is not None:
        texts = split.text_index[:1, 0].astype(np.int64)
        group, _, _ = _with_candidates(store, template, max_length, split.task, texts, split.candidates[:1])
        return group.form, group.texts[None], group.kept[None]
    rows, places = _rows(split.task, split.text_index.astype(np.int64), deduplicate=False)
    group, _ = _fit(store, template, max_length, rows)
    return group.form, group.texts[places], group.kept[places]


def text_lengths(store: TextStore, template: Template, max_length: int, texts: Ints) -> NDArray[np.int32]:
    """Return the number of tokens of single texts (int64[n], indices into the store) as sequences: int32[n]."""
    group, _ = _fit(store, template, max_length, texts[:, None])
    return group.lengths.astype(np.int32)


def count_cut(store: TextStore, template: Template, max_length: int, split: Split) -> int:
    """Return how many examples of a split are truncated to `max_length`."""
    cut = 0
    if split.words is not None:
        return cut
    for start, stop in blocks(len(split)):
        if split.candidates is not None:
            texts, own = split.text_index[start:stop, 0].astype(np.int64), split.candidates[start:stop]
            group, sequences, _ = _with_candidates(store, template, max_length, split.task, texts, own)
            cut += int(np.count_nonzero(sequences.sums(_cut(store, group)[sequences.values])))
            continue
        rows, places = _rows(split.task, split.text_index[start:stop].astype(np.int64), deduplicate=False)
        _, was_cut = _fit(store, template, max_length, rows)
        cut += int(was_cut[places].any(axis=1).sum())
    return cut


def _rows(task: Task, texts: Ints, deduplicate: bool) -> tuple[Ints, Ints]:
    """Return the texts of each sequence, rows[s, 1|2], and the sequences of each example, places[n, sequences]."""
    rows = texts.T.reshape(-1, 1) if task.sequences > 1 else texts
    if not deduplicate:
        return rows, np.arange(len(rows)).reshape(task.sequences, len(texts)).T
    distinct, inverse = np.unique(rows, axis=0, return_inverse=True)
    return distinct, inverse.reshape(task.sequences, len(texts)).T


def _with_candidates(
    store: TextStore, template: Template, max_length: int, task: Task, texts: Ints, candidates: Ragged
) -> tuple[_Sequences, Ragged, Ragged]:
    """Return the sequences of rows with candidates, the sequences of each row, and those of each candidate.

    `texts`: int64[n]. The sequences of a candidate are int64[N, 1], that of the pair with its text, or int64[N, 2]:
    that of the text, and its own.
    """
    owners, each = candidates.owners, candidates.values.astype(np.int64)
    if task.sequences == 1:
        group, _ = _fit(store, template, max_length, np.column_stack([texts[owners], each]))
        numbers = Ragged(np.arange(len(each)), candidates.offsets)
        return group, numbers, Ragged(numbers.values[:, None], candidates.offsets)
    group, _ = _fit(store, template, max_length, np.concatenate([texts, each])[:, None])
    own = len(texts) + np.arange(len(each))
    offsets = candidates.offsets + np.arange(len(texts) + 1)
    places = np.empty(len(texts) + len(each), dtype=np.int64)
    places[offsets[:-1]] = np.arange(len(texts))
    places[np.arange(len(each)) + owners + 1] = own
    return group, Ragged(places, offsets), Ragged(np.column_stack([owners, own]), candidates.offsets)


def _cut(store: TextStore, group: _Sequences) -> NDArray[np.bool_]:
    """Return which sequences are truncated."""
    full = store.offsets[group.texts + 1] - store.offsets[group.texts]
    cut: NDArray[np.bool_] = group.kept.sum(axis=1) < full.sum(axis=1)
    return cut


def _windowed(
    store: TextStore, template: Template, max_length: int, texts: Ints, whole: NDArray[np.bool_] | None = None
) -> tuple[_Sequences, Ragged]:
    """Return the windows of single texts as sequences, and the first tokens of the windows of each text.

    `whole`: the texts that are divided. Of the others, only the first window is used. Default: all.
    """
    form = template.single
    full, room = store.offsets[texts + 1] - store.offsets[texts], max_length - form.specials
    windows = windows_of(full if whole is None else np.where(whole, full, np.minimum(full, room)), room)
    kept = np.minimum(full[windows.owners] - windows.values, room)
    return _Sequences(form, texts[windows.owners][:, None], kept[:, None], windows.values), windows


def _only(words: Ragged, rows: NDArray[np.bool_]) -> Ragged:
    """Return the words of some rows. The other rows have none."""
    lengths = np.where(rows, words.lengths, 0)
    return Ragged(words[np.flatnonzero(rows)].values, offsets_of(lengths))


def _of_words(words: Ragged, windows: Ragged, starts: Ragged, full: Ints, max_length: int, form: Form) -> Ragged:
    """Return the sequence with the vector of each word and the token in the sequence: int64[N, 2], ragged.

    `words`: as in `Split`. `windows`: the sequences of each text. `starts`: their first tokens. `full`: the number of
    tokens of each text. A word without tokens has the first token of the first window.
    """
    tokens = Ragged(words.values[:, 2].astype(np.int64), words.offsets)
    window = starts.offsets[tokens.owners] + window_of_words(tokens, starts, full, max_length - form.specials)
    place = np.where(tokens.values < 0, 0, tokens.values - starts.values[window] + len(form.special[0]))
    return Ragged(np.column_stack([windows.values[window], place]), words.offsets)


def _fit(store: TextStore, template: Template, max_length: int, rows: Ints) -> tuple[_Sequences, NDArray[np.bool_]]:
    """Return how many tokens of each text are kept, and which sequences are truncated."""
    form = template.single if rows.shape[1] == 1 else template.pair
    full = store.offsets[rows + 1] - store.offsets[rows]
    room = max_length - form.specials
    if room < 0:
        raise ValueError(f"a length of {max_length} is too short for the {form.specials} special tokens of a sequence")
    kept = np.minimum(full, room) if rows.shape[1] == 1 else _longest_first(full, room)
    return _Sequences(form, rows, kept), kept.sum(axis=1) < full.sum(axis=1)


def _longest_first(full: Ints, room: int) -> Ints:
    """Truncate the longer text one token at a time until both fit, the second one if both are equal: int64[s, 2].

    This is the closed form: the longer text first loses the difference, then each text loses half of the rest.
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
        position_ids=ranges(np.zeros(len(sizes), dtype=np.int64), sizes).astype(np.int32),
        segment_ids=segment_ids,
        offsets=offsets.astype(np.int32),
        max_length=int(sizes.max(initial=0)),
        parts=parts,
        cut=cut,
    )


def _write_group(
    store: TextStore, group: _Sequences, starts: Ints, token_ids: NDArray[np.int32], segment_ids: NDArray[np.int32]
) -> None:
    """Write the special tokens and texts of each sequence, in turn, beginning at `starts`."""
    at = starts.copy()
    for place, (tokens, segments) in enumerate(zip(group.form.special, group.form.special_segments, strict=True)):
        for token, segment in zip(tokens, segments, strict=True):
            token_ids[at] = token
            segment_ids[at] = segment
            at += 1
        if place < group.texts.shape[1]:
            kept = group.kept[:, place]
            target = ranges(at, kept)
            begin = store.offsets[group.texts[:, place]] + (0 if group.first is None else group.first)
            token_ids[target] = store.token_ids[ranges(begin, kept)]
            segment_ids[target] = group.form.text_segments[place]
            at += kept


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
