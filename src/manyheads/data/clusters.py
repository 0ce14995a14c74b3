"""Clusters: the examples of all tasks that share a text or a group, directly or through a chain of examples."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from manyheads.data.dataset import Split

COMMON = 0.5
"""A text in more than this share of a task's examples, for example an instruction, does not join them."""


def clusters_of(splits: Mapping[str, Split]) -> dict[str, NDArray[np.int64]]:
    """Return the cluster of each example, by task: int64[n]. Tasks share the numbers of clusters.

    Examples are in one cluster if they share a text, in any column and any task, or a group, or a chain of such
    examples joins them. The texts of all splits must be in one text store.
    """
    if not splits:
        return {}
    examples: list[NDArray[np.int64]] = []
    texts: list[NDArray[np.int64]] = []
    first = 0
    for split in splits.values():
        index = split.text_index.astype(np.int64)
        rows = np.arange(first, first + len(index))
        for column in index.T:
            _, places, counts = np.unique(column, return_inverse=True, return_counts=True)
            kept = counts[places] <= max(1, COMMON * len(index))
            examples.append(rows[kept])
            texts.append(column[kept])
        first += len(index)
    ends, others = np.concatenate(examples), np.concatenate(texts) + first
    size = int(others.max(initial=first - 1)) + 1
    grouped, groups = _groups(splits)
    ends, others = np.concatenate([ends, grouped]), np.concatenate([others, groups + size])
    size += int(groups.max(initial=-1)) + 1
    links = coo_array((np.ones(len(ends), dtype=np.int8), (ends, others)), shape=(size, size))
    _, component = connected_components(links, directed=False)
    _, numbers = np.unique(component[:first], return_inverse=True)
    bounds = np.cumsum([len(split) for split in splits.values()])[:-1]
    parts = np.split(numbers.astype(np.int64), bounds)
    return dict(zip(splits, parts, strict=True))


def _groups(splits: Mapping[str, Split]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return the examples that have groups, numbered over all splits, and the number of the group of each."""
    examples, groups, first = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)], 0
    for split in splits.values():
        if split.groups is not None:
            examples.append(np.arange(first, first + len(split)))
            groups.append(np.asarray(split.groups))
        first += len(split)
    _, numbers = np.unique(np.concatenate(groups), return_inverse=True)
    return np.concatenate(examples), numbers.astype(np.int64)
