"""Holding out a share of the training rows, where a task names no dev file."""

from __future__ import annotations

import numpy as np

from manyheads.data.examples import Examples
from manyheads.errors import DataError


def hold_out(examples: Examples, share: float, seed: int) -> tuple[Examples, Examples]:
    """Split into training and dev examples, about `share` of the rows in dev, the order of rows kept.

    Rows with equal texts stay on one side, so that no dev text was trained on.

    Raises:
        DataError: all rows have the same texts, so that one side would be empty.
    """
    numbers: dict[tuple[str, ...], int] = {}
    group = np.array(
        [
            numbers.setdefault(tuple(text.strip() for text in texts), len(numbers))
            for texts in zip(*examples.texts, strict=True)
        ]
    )
    if len(numbers) < 2:
        hint = "name a dev file"
        raise DataError("too few different texts to hold some out for dev", where=examples.source, hint=hint)
    order = np.random.default_rng([seed, len(examples)]).permutation(len(numbers))
    sizes = np.bincount(group)[order].cumsum()
    wanted = max(1, round(share * len(examples)))
    groups = min(len(numbers) - 1, int(np.searchsorted(sizes, wanted)) + 1)
    in_dev = np.isin(group, order[:groups])
    return examples.take(np.flatnonzero(~in_dev)), examples.take(np.flatnonzero(in_dev))
