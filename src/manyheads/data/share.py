"""Sharing out a batch: every process builds the same batch and takes its own examples of it."""

from __future__ import annotations

import heapq
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from manyheads.data.batch import Batch

Ints = NDArray[np.int64]


def assign(sizes: Sequence[int] | NDArray[np.integer], processes: int) -> Ints:
    """The process of each example, int64[n]: longest first, each to the one with the fewest tokens so far.

    Graham's longest-processing-time rule (1969); ties go to the earlier example and to the lower process.
    """
    found = np.empty(len(sizes), dtype=np.int64)
    loads = [(0, process) for process in range(processes)]
    for example in np.argsort(-np.asarray(sizes, dtype=np.int64), kind="stable"):
        load, process = loads[0]
        found[example] = process
        heapq.heapreplace(loads, (load + int(sizes[example]), process))
    return found


def share(batch: Batch, process: int, processes: int) -> Batch:
    """The examples of a batch that one of several processes trains on: no parts where there is none for it."""
    lengths = np.diff(batch.offsets).astype(np.int64)
    sizes = [lengths[part.sequences].sum(axis=1) for part in batch.parts]
    owner = assign(np.concatenate(sizes), processes)
    owners = np.split(owner, np.cumsum([len(each) for each in sizes])[:-1])
    return take(batch, [np.flatnonzero(each == process) for each in owners])


def take(batch: Batch, rows: Sequence[Ints]) -> Batch:
    """Some of a batch's examples: for each part the places of those kept. A part that keeps none is left out."""
    used = np.zeros(batch.sequences, dtype=bool)
    for part, kept in zip(batch.parts, rows, strict=True):
        used[part.sequences[kept]] = True
    places = np.cumsum(used) - 1
    lengths = np.diff(batch.offsets)
    tokens = np.repeat(used, lengths)
    parts = tuple(
        replace(part, examples=part.examples[kept], sequences=places[part.sequences[kept]], targets=part.targets[kept])
        for part, kept in zip(batch.parts, rows, strict=True)
        if len(kept)
    )
    return Batch(
        token_ids=batch.token_ids[tokens],
        position_ids=batch.position_ids[tokens],
        segment_ids=batch.segment_ids[tokens],
        offsets=np.concatenate([[0], np.cumsum(lengths[used])]).astype(np.int32),
        max_length=int(lengths[used].max(initial=0)),
        parts=parts,
        cut=batch.cut,
    )
