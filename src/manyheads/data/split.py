"""Fewer rows: a share of the training rows held out for dev, or a fixed sample of a file."""

from __future__ import annotations

import numpy as np

from manyheads.data.examples import Examples
from manyheads.errors import DataError

SAMPLE = 2**32 - 2
"""The mark of the draw of `draw`, apart from that of `hold_out`."""


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


def draw(examples: Examples, count: int | None) -> Examples:
    """At most `count` of the examples, in the order of the file: the same ones for every run, whatever its seed."""
    if count is None or count >= len(examples):
        return examples
    order = np.random.default_rng([len(examples), SAMPLE]).permutation(len(examples))
    return examples.take(np.sort(order[:count]))
