"""Batch: examples of one or more tasks as flat token ids with offsets, without padding."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads.ragged import Rows
from manyheads.tasks.kind import known, label_count


@dataclass(frozen=True)
class Part:
    """The examples of one task in a batch.

    `task`: the task's name. `examples`: int64[n], indices in the task's split. `sequences`: int64[n, 1 or 2], the
    sequence or the two sequences of the batch that each example consists of. Several examples may share a sequence.
    `targets`: float32[n, ...], NaN if an example has none; or ragged, with a length of its own for each example.
    `weights`: float32[n], factors of the losses of the examples; None if all are 1. `soft`: float32[n, ...], soft
    labels, which losses read in place of the targets; None if there are none.
    `stream`: the stream of the examples, of which other parts are if several tasks read its rows. All parts of a stream
    have the same examples and sequences. Default: the task is the only one.
    """

    task: str
    examples: NDArray[np.int64]
    sequences: NDArray[np.int64]
    targets: Rows
    weights: NDArray[np.float32] | None = None
    soft: NDArray[np.float32] | None = None
    stream: str | None = None

    @property
    def source(self) -> str:
        """The name of the stream of the examples, which is that of the task if no other task reads them."""
        return self.task if self.stream is None else self.stream

    @property
    def labels(self) -> int:
        """The number of examples that have a target."""
        return int(np.count_nonzero(known(self.targets)))


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
        return {part.task: label_count(part.targets) for part in self.parts}

    @property
    def sequences(self) -> int:
        """S, the number of sequences."""
        return len(self.offsets) - 1
