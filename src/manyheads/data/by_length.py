"""Batches of examples of similar length, for passes without gradients."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

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
