"""The contract of `Kind`. Every kind on the menu needs an instance here."""

from __future__ import annotations

import pytest

from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.kinds.choice import Choice
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.embedding import TextEmbedding
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.kinds.words import WordTags
from manyheads.testing import check_kind
from manyheads.testing.kinds import INVALID

INSTANCES: list[tuple[Kind, list[object]]] = [
    (Choice(["choices"], label_from=1), [1, "3", 2.0]),
    (Choice(["a", "b", "c"], label_as="letter"), ["A", " c ", "(b)"]),
    (Choice(["choices"], label_as="text"), []),
    (Choice(["choices"], label_as="name", names="names"), []),
    (Choice(["answer"], label_as="relevance", group_by="question"), [[0, 1, 0.5], "[2, 0]"]),
    (Classification([0, 1]), [0, "1", 1.0]),
    (Classification(["no", "yes"]), ["no", " yes "]),
    (Classification([False, True]), [True, "false"]),
    (Classification(range(7)), [6, "3.0"]),
    (Classification(["no", "yes"], soft=True), ["no"]),
    (TextEmbedding("pairs"), []),
    (TextEmbedding("triplets"), []),
    (TextEmbedding("scored"), ["0", 5, -2.25]),
    (Multilabel(["a", "b", "c"]), [["a"], "a; c", [], '["b"]']),
    (Multilabel([7], threshold=0.3), [[7], "7", 7]),
    (Ordinal([1, 2, 3]), [1, "3"]),
    (Ordinal(["low", "middle", "high", "top"]), ["top", "low "]),
    (WordTags(["O", "B-a", "I-a", "B-b", "I-b"], scheme="bio"), [["O", "B-a", "I-a"], "O B-b", '["O"]']),
    (WordTags(["O", "B-a", "I-a", "E-a", "S-a"], scheme="bioes"), [["S-a", "O"], "B-a E-a"]),
    (WordTags(["noun", "verb", 7]), [["verb", "noun", 7], "noun"]),
    (Regression(0, 5), ["0", 5, 2.25]),
    (Regression(-1, 1), [-1, "0.5"]),
]


def test_every_kind_of_the_menu_has_an_instance_here() -> None:
    assert {kind.name for kind, _ in INSTANCES} == set(KINDS)
    assert all(isinstance(kind, KINDS[kind.name]) for kind, _ in INSTANCES)


@pytest.mark.parametrize(("kind", "cells"), [pytest.param(*each, id=repr(each[0])) for each in INSTANCES])
def test_every_kind_keeps_the_contract(kind: Kind, cells: list[object]) -> None:
    lists = kind.space().get("label_as") == "relevance"  # a list of one relevance is a label
    check_kind(kind, cells, invalid=[cell for cell in INVALID if not (lists and isinstance(cell, list))])


UNKNOWN = [case for case in INSTANCES if case[0].counts_unknown and case[0].reads != "candidates"]


@pytest.mark.parametrize(("kind", "cells"), UNKNOWN)
def test_no_prediction_is_equal_to_an_unknown_label(kind: Kind, cells: list[object]) -> None:
    """A known label next to an unknown one is counted."""
    own = kind.parse(cells[0])
    presented = kind.present(own)
    others = presented[1:] if isinstance(presented, list) else []
    unknown = kind.counted([*others, "no such"] if isinstance(presented, list) else "no such")
    targets = kind.targets([own, unknown])
    assert "unknown label" in kind.show(targets[1])
    assert sum(kind.counts(targets).values()) == sum(kind.counts(targets[:1]).values()) + len(others)
    right = kind.right(Predictions(kind.targets([own, own]), None), targets)
    assert right is not None
    assert right.tolist() == [True, False]
