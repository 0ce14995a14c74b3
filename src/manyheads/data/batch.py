"""Batch: examples of one or more tasks as flat token ids with offsets, without padding.

Passes without gradients read batches of examples of similar length.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from manyheads.ragged import Ragged, Rows
from manyheads.tasks.kind import known, label_count


@dataclass(frozen=True)
class Part:
    """The examples of one task in a batch.

    `task`: the task's name. `examples`: int64[n], indices in the task's split. `sequences`: int64[n, sequences], the
    sequence or the sequences of the batch that each example consists of. Several examples may share a sequence.
    `targets`: float32[n, ...], NaN if an example has none; or ragged, with a length of its own for each example.
    `weights`: float32[n], factors of the losses of the examples; None if all are 1. `soft`: float32[n, ...], soft
    labels, which losses read in place of the targets; None if there are none.
    `stream`: the stream of the examples, of which other parts are if several tasks read its rows. All parts of a stream
    have the same examples and sequences. Default: the task is the only one.
    `texts`: int64[n, columns], equal for equal texts; None if unknown.

    If a task of the stream reads words, `sequences` is the first window of each text, and `windows` are all of them,
    int64, ragged. For such a task, `words` are int64[N, 2], ragged: the sequence with the vector of each word, and the
    token in the sequence. A row of a stream without labels of the task has no words.

    For a task with candidates, `windows` are all sequences of each example, and `candidates` are int64[N, k], ragged:
    the sequence of each candidate with its text, or the sequence of the text and that of the candidate.
    """

    task: str
    examples: NDArray[np.int64]
    sequences: NDArray[np.int64]
    targets: Rows
    weights: NDArray[np.float32] | None = None
    soft: NDArray[np.float32] | None = None
    stream: str | None = None
    windows: Ragged | None = None
    words: Ragged | None = None
    texts: NDArray[np.int64] | None = None
    candidates: Ragged | None = None

    @property
    def source(self) -> str:
        """The name of the stream of the examples, which is that of the task if no other task reads them."""
        return self.task if self.stream is None else self.stream

    @property
    def labels(self) -> int:
        """The number of examples that have a target."""
        return int(np.count_nonzero(known(self.targets)))

    @property
    def terms(self) -> int:
        """The number of losses: one per label, or one per example with a target if it has candidates."""
        return label_count(self.targets) if self.candidates is None else self.labels

    def sizes(self, lengths: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of tokens of each example, int64[n]. `lengths`: those of all sequences of the batch."""
        if self.windows is not None:
            return self.windows.sums(lengths[self.windows.values]).astype(np.int64)
        sizes: NDArray[np.int64] = lengths[self.sequences].sum(axis=1)
        return sizes

    def used(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the sequences of some examples: int64[s]."""
        return self.sequences[rows].ravel() if self.windows is None else self.windows[rows].values

    def take(self, rows: NDArray[np.int64], places: NDArray[np.int64]) -> Part:
        """Return some examples in a batch with other sequences. `places`: the new number of each sequence."""
        words = None if self.words is None else self.words[rows]
        if words is not None:
            words = Ragged(np.column_stack([places[words.values[:, 0]], words.values[:, 1]]), words.offsets)
        windows = None if self.windows is None else self.windows[rows]
        if windows is not None:
            windows = Ragged(places[windows.values], windows.offsets)
        candidates = None if self.candidates is None else self.candidates[rows]
        if candidates is not None:
            candidates = Ragged(places[candidates.values], candidates.offsets)
        return replace(
            self,
            examples=self.examples[rows],
            sequences=places[self.sequences[rows]],
            targets=self.targets[rows],
            weights=None if self.weights is None else self.weights[rows],
            soft=None if self.soft is None else self.soft[rows],
            windows=windows,
            words=words,
            texts=None if self.texts is None else self.texts[rows],
            candidates=candidates,
        )


@dataclass(frozen=True)
class Batch:
    """A batch of S sequences with T tokens in total, stored one after another.

    `token_ids`, `position_ids` (0 at the start of each sequence), `segment_ids`: int32[T].
    `offsets`: int32[S+1], sequence s has the tokens offsets[s]:offsets[s+1]. `max_length`: tokens of the longest
    sequence. `cut`: the number of examples that were truncated to the model's length.
    """

    token_ids: NDArray[np.int32]
    position_ids: NDArray[np.int32]
    segment_ids: NDArray[np.int32]
    offsets: NDArray[np.int32]
    max_length: int
    parts: tuple[Part, ...]
    cut: int = 0

    @property
    def tokens(self) -> int:
        """T, the number of tokens."""
        return len(self.token_ids)

    @property
    def examples(self) -> int:
        """The number of examples: the pairs of a row and a label of it."""
        return sum(part.labels for part in self.parts)

    @property
    def rows(self) -> int:
        """The number of rows. A row that several tasks read counts once."""
        return sum({part.source: len(part.examples) for part in self.parts}.values())

    @property
    def row_counts(self) -> dict[str, int]:
        """The number of rows of each task."""
        return {part.task: len(part.examples) for part in self.parts}

    @property
    def label_counts(self) -> dict[str, int]:
        """The number of labels of each task, over which its loss is a mean."""
        return {part.task: part.terms for part in self.parts}

    @property
    def sequences(self) -> int:
        """S, the number of sequences."""
        return len(self.offsets) - 1


TOKEN_BUDGET = 2048
"""Real tokens per batch. A CPU's matrix products gain nothing from more than one or two thousand."""


def batches_by_length(sizes: NDArray[np.integer], token_budget: int = TOKEN_BUDGET) -> Iterator[NDArray[np.int64]]:
    """Group examples by size: yield index arrays whose sizes[n] sum to at most the budget.

    An example larger than the budget is a batch of its own. The longest examples come first, so that a lack of memory
    shows in the first batch.
    """
    order = np.argsort(-sizes.astype(np.int64), kind="stable")
    start, total = 0, 0
    for position, example in enumerate(order):
        size = int(sizes[example])
        if position > start and total + size > token_budget:
            yield order[start:position]
            start, total = position, 0
        total += size
    if len(order) > start:
        yield order[start:]
