"""Fewer rows: a share of the training rows held out for dev, or a fixed sample of a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import blocks, permutation, scratch, where
from manyheads.data.distinct import distinct, row_hashes
from manyheads.data.examples import Examples
from manyheads.errors import DataError

SAMPLE, HELD_OUT = 2**32 - 2, 2**32 - 3
"""The marks of the two draws. Neither asks a run's seed: runs of several seeds answer the same dev examples."""


def hold_out(examples: Examples, share: float) -> tuple[Examples, Examples]:
    """Split into training and dev examples, about `share` of the rows in dev, the order of rows kept.

    Rows with equal texts stay on one side, so that no dev text was trained on. The same ones for every run, whatever
    its seed.

    Raises:
        DataError: all rows have the same texts, so that one side would be empty.
    """
    found = distinct(row_hashes(examples.texts, len(examples)))
    if found.count < 2:
        hint = "name a dev file"
        raise DataError("too few different texts to hold some out for dev", where=examples.source, hint=hint)
    order = permutation(found.count, np.random.default_rng([len(examples), HELD_OUT]))
    sizes = scratch(found.count, np.int64)
    for start, stop in blocks(len(examples)):
        np.add.at(sizes, found.index[start:stop], 1)
    chosen = scratch(found.count, np.bool_)
    chosen[order[: _first_groups(sizes, order, max(1, round(share * len(examples))))]] = True
    in_dev = scratch(len(examples), np.bool_)
    for start, stop in blocks(len(examples)):
        in_dev[start:stop] = chosen[found.index[start:stop]]
    dev = examples.take(where(in_dev))
    np.logical_not(in_dev, out=in_dev)
    return examples.take(where(in_dev)), dev


def draw(examples: Examples, count: int | None) -> Examples:
    """At most `count` of the examples, in the order of the file: the same ones for every run, whatever its seed."""
    if count is None or count >= len(examples):
        return examples
    order = permutation(len(examples), np.random.default_rng([len(examples), SAMPLE]))[:count]
    order.sort()
    return examples.take(order)


def _first_groups(sizes: NDArray[np.int64], order: NDArray[np.int64], wanted: int) -> int:
    """How many groups, taken in `order`, hold `wanted` rows; all but one at most."""
    groups, total = 0, 0
    for start, stop in blocks(len(order)):
        ends = total + np.cumsum(sizes[order[start:stop]])
        groups, total = start + int(np.searchsorted(ends, wanted)) + 1, int(ends[-1])
        if total >= wanted:
            break
    return min(len(order) - 1, groups)
