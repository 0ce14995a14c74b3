"""Hold out a share of the training rows for dev, or draw a fixed sample of a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyheads.data.arrays import blocks, permutation, scratch, where
from manyheads.data.distinct import distinct, row_hashes
from manyheads.data.examples import Examples
from manyheads.errors import DataError
from manyheads.tasks.kind import known
from manyheads.tasks.task import Task

SAMPLE, HELD_OUT = 2**32 - 2, 2**32 - 3
"""Seeds of the two random draws. They do not depend on a run's seed, so that all runs use the same dev examples."""

BINS = 5
"""Strata of a regression: fifths of its labels."""

NONE = -1
"""The stratum of a row without a label."""

Ints = NDArray[np.int64]


def hold_out(
    readers: Sequence[Examples], share: float, strata: Sequence[Ints] | None = None
) -> list[tuple[Examples, Examples]]:
    """Split the rows of one file into training and dev rows. A row is on the same side for every task that reads it.

    Dev has about `share` of the rows. The order of rows is kept. Rows with equal texts stay together, so that no dev
    text is in the training examples of any task, and so do rows of one group. Both sides have about the same share of
    each stratum: the rows are sorted by strata, in random order within each, and every 1/share-th of them is held out
    (systematic sampling). Then rows are exchanged for strata that are on one side only. The split is the same for every
    run, whatever its seed.

    Args:
        readers: the examples of each task that reads the file.
        share: the share of the rows in dev.
        strata: the stratum of each example of each task, `NONE` if it has none. Default: no strata.

    Returns:
        Training and dev examples for each reader.

    Raises:
        DataError: All rows have the same texts or group, so that one side would be empty.
    """
    rows = _Rows.of(readers)
    if rows.count < 2:
        hint = "set `dev` of the task to a file"
        what = "texts" if all(each.groups is None for each in readers) else "texts and groups"
        raise DataError(f"too few different {what} to hold some out for dev", where=readers[0].source, hint=hint)
    codes = [np.full(len(each), NONE) for each in readers] if strata is None else list(strata)
    held = _systematic(rows, codes, share)
    _exchange(rows, codes, held)
    sides = []
    for examples, groups in zip(readers, rows.groups, strict=True):
        in_dev = scratch(len(examples), np.bool_)
        for start, stop in blocks(len(examples)):
            in_dev[start:stop] = held[groups[start:stop]]
        dev = examples.take(where(in_dev))
        np.logical_not(in_dev, out=in_dev)
        sides.append((examples.take(where(in_dev)), dev))
    return sides


def held_out_in_0_4(examples: Examples, share: float) -> Examples:
    """Return the rows that version 0.4.0 held out: drawn for each task alone, without strata. To measure its runs."""
    texts = distinct(row_hashes(examples.texts, len(examples)))
    index = np.asarray(texts.index)
    order = permutation(texts.count, np.random.default_rng([len(examples), HELD_OUT]))
    ends = np.cumsum(np.bincount(index, minlength=texts.count)[order])
    groups = min(len(order) - 1, int(np.searchsorted(ends, max(1, round(share * len(examples))))) + 1)
    chosen = np.zeros(texts.count, dtype=bool)
    chosen[order[:groups]] = True
    return examples.take(np.flatnonzero(chosen[index]))


def strata_of(examples: Examples, task: Task) -> Ints:
    """Return the stratum of each example, such as its class, or the fifth of the labels that its value is in."""
    targets = examples.targets
    labelled = known(targets)
    codes = np.full(len(targets), NONE)
    codes[labelled] = task.kind.strata(targets[labelled])
    return codes


def draw(examples: Examples, count: int | None) -> Examples:
    """Return a sample of at most `count` examples, in the order of the file. It is the same for every run and seed."""
    if count is None or count >= len(examples):
        return examples
    order = permutation(len(examples), np.random.default_rng([len(examples), SAMPLE]))[:count]
    order.sort()
    return examples.take(order)


@dataclass(frozen=True)
class _Rows:
    """The rows of a file that some task reads, in groups that stay together.

    `groups`: int64[n] for each reader, the group of each of its examples. `sizes`: int64[G], the rows of each group.
    """

    groups: tuple[Ints, ...]
    sizes: Ints

    @property
    def count(self) -> int:
        """The number of groups, G."""
        return len(self.sizes)

    @classmethod
    def of(cls, readers: Sequence[Examples]) -> _Rows:
        """Group the rows.

        Rows are in one group if a task reads the same texts or the same group in both, or a chain of such rows is.
        """
        hashes = [row_hashes(each.texts, len(each)) for each in readers]
        grouped = [each.groups is not None for each in readers]
        if len(readers) == 1 and not grouped[0]:
            texts = distinct(hashes[0])
            sizes = np.zeros(texts.count, dtype=np.int64)
            for start, stop in blocks(len(texts.index)):
                np.add.at(sizes, texts.index[start:stop], 1)
            return cls((texts.index,), sizes)
        texts = distinct(np.concatenate(hashes))
        own = [each.lines if each.places is None else each.places for each in readers]
        lines, places = np.unique(np.concatenate(own), return_inverse=True)
        size = len(lines) + texts.count
        ends = np.cumsum([len(each) for each in readers])[:-1]
        rows, others = places, texts.index + len(lines)
        if any(grouped):
            named = [np.asarray(each.groups) for each in readers if each.groups is not None]
            _, numbers = np.unique(np.concatenate(named), return_inverse=True)
            with_groups = [each for each, known in zip(np.split(places, ends), grouped, strict=True) if known]
            rows, others = np.concatenate([rows, *with_groups]), np.concatenate([others, numbers + size])
            size += int(numbers.max()) + 1
        links = coo_array((np.ones(len(rows), dtype=np.int8), (rows, others)), shape=(size, size))
        _, component = connected_components(links, directed=False)
        _, group = np.unique(component[: len(lines)], return_inverse=True)
        return cls(tuple(np.split(group[places].astype(np.int64), ends)), np.bincount(group))


def _systematic(rows: _Rows, codes: Sequence[Ints], share: float) -> NDArray[np.bool_]:
    """Return which groups are held out: bool[G]. A group has the strata of its first row."""
    total = int(rows.sizes.sum())
    rank = permutation(rows.count, np.random.default_rng([total, HELD_OUT]))
    keys = [rank]
    for groups, code in zip(rows.groups, codes, strict=True):
        key = np.full(rows.count, NONE)
        known = np.flatnonzero(code != NONE)[::-1]
        key[groups[known]] = code[known]
        keys.append(key)
    order = np.lexsort((keys[0], *keys[:0:-1]))
    wanted = min(total - 1, max(1, round(share * total)))
    held = np.zeros(rows.count, dtype=bool)
    seen, taken = 0, 0
    for group, size in zip(order.tolist(), rows.sizes[order].tolist(), strict=True):
        seen += size
        if wanted * seen / total - taken >= size / 2:
            held[group] = True
            taken += size
    if not held.any():
        held[order[np.argmin(rows.sizes[order])]] = True
    if held.all():
        held[order[-1]] = False
    return held


def _exchange(rows: _Rows, codes: Sequence[Ints], held: NDArray[np.bool_]) -> None:
    """Exchange groups for strata that are on one side only. Training comes first: nothing is learnt without a row.

    An exchange never takes the last group of a stratum from a side, and keeps the number of held-out rows to within the
    difference of two groups.
    """
    strata = [(reader, code) for reader, each in enumerate(codes) for code in np.unique(each[each != NONE]).tolist()]
    members = [np.unique(rows.groups[reader][codes[reader] == code]) for reader, code in strata]
    counts = np.array([[np.count_nonzero(~held[groups]), np.count_nonzero(held[groups])] for groups in members])
    if not members or (counts > 0).all():
        return
    of_group: dict[int, list[int]] = {}
    for number, groups in enumerate(members):
        for group in groups.tolist():
            of_group.setdefault(group, []).append(number)

    def free(group: int, wanted: int) -> bool:
        """Return whether no stratum but the wanted one would be absent from the group's side without it."""
        side = int(held[group])
        return all(number == wanted or counts[number, side] > 1 for number in of_group.get(group, ()))

    def move(group: int) -> None:
        side = int(held[group])
        for number in of_group.get(group, ()):
            counts[number, side] -= 1
            counts[number, 1 - side] += 1
        held[group] = not held[group]

    for side in (0, 1):
        for wanted, groups in enumerate(members):
            if counts[wanted, side] or (side == 1 and counts[wanted, 0] < 2):
                continue
            candidates = [group for group in groups.tolist() if free(group, wanted)]
            candidates = candidates or ([] if side else groups.tolist())
            if not candidates:
                continue
            incoming = min(candidates, key=lambda group: (rows.sizes[group], group))
            move(incoming)
            others = np.flatnonzero(held == bool(side))
            near = others[np.argsort(np.abs(rows.sizes[others] - rows.sizes[incoming]), kind="stable")].tolist()
            outgoing = next((group for group in near if group != incoming and free(group, -1)), None)
            if outgoing is not None:
                move(outgoing)
            elif side == 1 or not held.any():
                move(incoming)
