"""The order of the candidates of each row, from one number per candidate."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from manyheads.ragged import Ragged

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def most_of(rows: Ragged) -> Floats:
    """Return the highest number of the row of each number: float64[N]."""
    most = np.full(len(rows), -np.inf)
    np.maximum.at(most, rows.owners, rows.values)
    return most[rows.owners]


def first_best(rows: Ragged) -> Ints:
    """Return the place of the highest number of each row, the first one of equals: int64[n]."""
    places = np.arange(len(rows.values)) - rows.offsets[rows.owners]
    found = np.full(len(rows), np.iinfo(np.int64).max)
    np.minimum.at(found, rows.owners, np.where(rows.values == most_of(rows), places, np.iinfo(np.int64).max))
    return found


def lower_counts(rows: Ragged) -> Ragged:
    """Return for each number how many numbers of its row are lower: float64[N], ragged."""
    owners = rows.owners
    order = np.lexsort((rows.values, owners))
    fresh = np.ones(len(order), dtype=bool)
    fresh[1:] = (np.diff(rows.values[order]) != 0) | (np.diff(owners[order]) != 0)
    first = np.maximum.accumulate(np.where(fresh, np.arange(len(order)), 0))
    lower = np.empty(len(order))
    lower[order] = first - rows.offsets[owners[order]]
    return Ragged(lower, rows.offsets)


def chosen_right(values: Ragged, relevance: Ragged) -> NDArray[np.bool_]:
    """Return whether the first candidate with the highest value has the highest relevance of its row: bool[n].

    In a row without a relevance above 0, no candidate is right.
    """
    chosen = relevance.offsets[:-1] + first_best(values)
    most = most_of(relevance)[chosen]
    right: NDArray[np.bool_] = (relevance.values[chosen] == most) & (most > 0)
    return right


def first_ranks(values: Ragged, relevance: Ragged) -> Floats:
    """Return the rank of the first right candidate of each row, from 1: float64[n].

    Right candidates are those with a relevance above 0. A candidate that is not right and has an equal value is ranked
    before it. Without a right candidate the rank is infinite.
    """
    right = relevance.values > 0
    best = np.full(len(relevance), -np.inf)
    np.maximum.at(best, relevance.owners, np.where(right, values.values, -np.inf))
    before = relevance.sums(~right & (values.values >= best[relevance.owners]))
    return np.where(np.isinf(best), np.inf, 1.0 + before)


def margins_of(probabilities: Ragged) -> Floats:
    """Return by how much the highest number of each row is above the next one: float64[n]. For one number it is that.

    Two equal highest numbers have the margin 0.
    """
    first = first_best(probabilities)
    places = np.arange(len(probabilities.values)) - probabilities.offsets[probabilities.owners]
    others = places != first[probabilities.owners]
    second = np.zeros(len(probabilities))
    np.maximum.at(second, probabilities.owners[others], probabilities.values[others])
    margins: Floats = probabilities.values[probabilities.offsets[:-1] + first] - second
    return margins
