"""The menu of heads: what each head reads, and its default loss."""

from __future__ import annotations

import pytest

from manyheads.model.heads import HEADS, default_loss
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression


def test_what_each_head_reads() -> None:
    assert {name: entry.reads for name, entry in HEADS.items()} == {
        "linear": "single",
        "cross": "cross",
        "b1": "bi",
        "b2": "bi",
        "tokens": "tokens",
        "vector": "bi",
    }


@pytest.mark.parametrize(
    ("head", "kind", "loss"),
    [
        ("linear", Classification(range(5)), "cross_entropy"),
        ("b1", Classification([0, 1]), "l1"),
        ("b1", Regression(0, 5), "l1"),
        ("b1", Classification(range(3)), "cross_entropy"),
        ("b2", Classification([0, 1]), "binary_cross_entropy"),
        ("b2", Regression(0, 5), "mse"),
        ("cross", Classification([0, 1]), "binary_cross_entropy"),
        ("cross", Regression(0, 5), "mse"),
        ("cross", Classification(range(3)), "cross_entropy"),
    ],
)
def test_default_losses_are_those_of_the_reference_study(head: str, kind: Kind, loss: str) -> None:
    assert default_loss(head, kind) == loss
