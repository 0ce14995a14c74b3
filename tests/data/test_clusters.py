"""Clusters of examples that share a text."""

from __future__ import annotations

import numpy as np

from manyheads.data.clusters import clusters_of
from manyheads.data.dataset import Split
from manyheads.model.losses import fitting_losses
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.task import Task


def split(index: list[list[int]], groups: list[int] | None = None) -> Split:
    kind = Classification(range(2))
    task = Task("t", kind, ("a", "b"), "label", None, "cross", "cross", 0.1, fitting_losses(kind)[0], "accuracy")
    n = len(index)
    named = None if groups is None else np.array(groups, np.int64)
    own = (np.array(index, np.int32), np.zeros(n, np.float32), np.arange(n), named)
    return Split(task, [str(i) for i in range(n)], *own)


def test_examples_with_a_text_in_common_are_one_cluster_in_any_column_and_task() -> None:
    found = clusters_of({"pairs": split([[0, 1], [1, 2], [3, 4], [5, 6]]), "single": split([[4], [7], [7], [8]])})
    pairs, single = found["pairs"], found["single"]
    assert pairs[0] == pairs[1]
    assert pairs[2] == single[0]
    assert single[1] == single[2]
    assert len({*pairs.tolist(), *single.tolist()}) == 5


def test_a_text_of_most_examples_joins_nothing() -> None:
    found = clusters_of({"t": split([[0, 9], [1, 9], [2, 9], [2, 9], [4, 5]])})["t"]
    assert len(set(found.tolist())) == 4
    assert found[2] == found[3]


def test_examples_without_common_texts_are_on_their_own() -> None:
    assert len(set(clusters_of({"t": split([[0], [1], [2]])})["t"].tolist())) == 3
    assert clusters_of({}) == {}


def test_examples_of_one_group_are_one_cluster_in_any_task() -> None:
    splits = {"a": split([[0], [1], [2], [3]], [-5, -5, 8, 9]), "b": split([[4], [5]], [9, 7]), "c": split([[6], [2]])}
    found = clusters_of(splits)
    assert found["a"][0] == found["a"][1]
    assert found["a"][3] == found["b"][0]
    assert found["a"][2] == found["c"][1]
    assert len({*np.concatenate(list(found.values())).tolist()}) == 5


def test_a_group_of_most_examples_is_a_cluster() -> None:
    assert len(set(clusters_of({"t": split([[0], [1], [2]], [1, 1, 1])})["t"].tolist())) == 1
