"""Divide a batch among processes. Every process builds the same batch and keeps its own examples."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch

Ints = NDArray[np.int64]


def assign(sizes: Sequence[int] | NDArray[np.integer], processes: int) -> Ints:
    """Return the process of each example: int64[n].

    The longest example is assigned first, each to the process with the fewest tokens so far: Graham's
    longest-processing-time rule (1969). Ties go to the earlier example and to the lower process.
    """
    owner = np.empty(len(sizes), dtype=np.int64)
    loads = [(0, process) for process in range(processes)]
    for example in np.argsort(-np.asarray(sizes, dtype=np.int64), kind="stable"):
        load, process = loads[0]
        owner[example] = process
        heapq.heapreplace(loads, (load + int(sizes[example]), process))
    return owner


def share(batch: Batch, process: int, processes: int, whole: Collection[str] = ()) -> Batch:
    """Return the examples of a batch that one process trains on. There are no parts if it has no examples.

    A row that several tasks read has one process for all of them. `whole`: the tasks whose examples in a batch are not
    divided, because their loss compares them with one another.
    """
    lengths = np.diff(batch.offsets).astype(np.int64)
    sizes = {part.source: part.sizes(lengths) for part in batch.parts}
    undivided = {part.source for part in batch.parts if part.task in whole}
    pieces = [each.sum(keepdims=True) if source in undivided else each for source, each in sizes.items()]
    owner = assign(np.concatenate(pieces), processes)
    split = np.split(owner, np.cumsum([len(each) for each in pieces])[:-1])
    owners = {
        source: np.broadcast_to(each, size.shape) for (source, size), each in zip(sizes.items(), split, strict=True)
    }
    return take(batch, [np.flatnonzero(owners[part.source] == process) for part in batch.parts])


def take(batch: Batch, rows: Sequence[Ints]) -> Batch:
    """Return a batch of some examples. `rows`: the positions to keep in each part. Empty parts are dropped."""
    used = np.zeros(batch.sequences, dtype=bool)
    for part, kept in zip(batch.parts, rows, strict=True):
        used[part.used(kept)] = True
    places = np.cumsum(used) - 1
    lengths = np.diff(batch.offsets)
    tokens = np.repeat(used, lengths)
    parts = tuple(part.take(kept, places) for part, kept in zip(batch.parts, rows, strict=True) if len(kept))
    return Batch(
        token_ids=batch.token_ids[tokens],
        position_ids=batch.position_ids[tokens],
        segment_ids=batch.segment_ids[tokens],
        offsets=np.concatenate([[0], np.cumsum(lengths[used])]).astype(np.int32),
        max_length=int(lengths[used].max(initial=0)),
        parts=parts,
        cut=batch.cut,
    )
