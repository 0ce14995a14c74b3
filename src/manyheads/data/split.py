"""Hold out a share of the training rows for dev, or draw a fixed sample of a file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import blocks, permutation, scratch, where
from manyheads.data.distinct import distinct, row_hashes
from manyheads.data.examples import Examples
from manyheads.errors import DataError

SAMPLE, HELD_OUT = 2**32 - 2, 2**32 - 3
"""Seeds of the two random draws. They do not depend on a run's seed, so that all runs use the same dev examples."""


def hold_out(examples: Examples, share: float) -> tuple[Examples, Examples]:
    """Split into training and dev examples. Dev has about `share` of the rows; the order of rows is kept.

    Rows with equal texts stay together, so that no dev text is in the training examples. The split is the same for
    every run, whatever its seed.

    Raises:
        DataError: All rows have the same texts, so that one side would be empty.
    """
    texts = distinct(row_hashes(examples.texts, len(examples)))
    if texts.count < 2:
        hint = "set `dev` of the task to a file"
        raise DataError("too few different texts to hold some out for dev", where=examples.source, hint=hint)
    order = permutation(texts.count, np.random.default_rng([len(examples), HELD_OUT]))
    sizes = scratch(texts.count, np.int64)
    for start, stop in blocks(len(examples)):
        np.add.at(sizes, texts.index[start:stop], 1)
    chosen = scratch(texts.count, np.bool_)
    chosen[order[: _first_groups(sizes, order, max(1, round(share * len(examples))))]] = True
    in_dev = scratch(len(examples), np.bool_)
    for start, stop in blocks(len(examples)):
        in_dev[start:stop] = chosen[texts.index[start:stop]]
    dev = examples.take(where(in_dev))
    np.logical_not(in_dev, out=in_dev)
    return examples.take(where(in_dev)), dev


def draw(examples: Examples, count: int | None) -> Examples:
    """Return a sample of at most `count` examples, in the order of the file. It is the same for every run and seed."""
    if count is None or count >= len(examples):
        return examples
    order = permutation(len(examples), np.random.default_rng([len(examples), SAMPLE]))[:count]
    order.sort()
    return examples.take(order)


def _first_groups(sizes: NDArray[np.int64], order: NDArray[np.int64], wanted: int) -> int:
    """Return how many groups, in this `order`, are needed for `wanted` rows. At least one group is not used."""
    groups, total = 0, 0
    for start, stop in blocks(len(order)):
        ends = total + np.cumsum(sizes[order[start:stop]])
        groups, total = start + int(np.searchsorted(ends, wanted)) + 1, int(ends[-1])
        if total >= wanted:
            break
    return min(len(order) - 1, groups)
