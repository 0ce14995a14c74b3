"""Collapsed seeds: runs that stayed far below the other seeds of their row, as fine-tuning sometimes does.

Mosbach, Andriushchenko and Klakow (2021, section 4) describe such failed runs.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyheads.evaluation.sample import Floats

DEVIATIONS = 5.0
"""Robust standard deviations below the median."""

LEAST = 0.05
"""A smaller distance from the median is no collapse, however small the deviations are."""

TO_SD = 1.4826
"""The standard deviation of a normal variable divided by its median absolute deviation."""


def collapsed(values: Floats, references: Sequence[Floats] = ()) -> NDArray[np.bool_]:
    """Return which seeds of a row are collapsed: bool[S].

    A seed is collapsed if it is more than `LEAST` and more than `DEVIATIONS` robust standard deviations below the
    median. The deviations are those of the row's and the references' seeds, each from its own median. Their scale is
    the median absolute deviation (Hampel 1974), multiplied by N / (N - 2 rows), because the medians fit few seeds too
    well. Then fewer than 1% of normal seeds are more than `DEVIATIONS` below, with three seeds or more.

    `values`: float64[S], the metric of each seed of the row. `references`: that of each seed of other rows.
    """
    groups = [group for group in (values, *references) if len(group)]
    free = sum(map(len, groups)) - 2 * len(groups)
    if not len(values) or free <= 0:
        return np.zeros(len(values), dtype=bool)
    centred = np.concatenate([group - np.median(group) for group in groups])
    middle = float(np.median(centred))
    scale = TO_SD * float(np.median(np.abs(centred - middle))) * len(centred) / free
    below = middle - (values - np.median(values))
    found: NDArray[np.bool_] = (below > DEVIATIONS * scale) & (below > LEAST)
    return found


def shares_differ(one: Sequence[int], other: Sequence[int]) -> float:
    """Return the two-sided p value of Fisher's exact test (Fisher 1935) that two rows have the same share of collapses.

    `one`, `other`: the number of collapsed seeds and the number of all seeds.
    """
    table = np.array([[count, total - count] for count, total in (one, other)])
    return float(stats.fisher_exact(table).pvalue)
