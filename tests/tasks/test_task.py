"""Task: the properties that are derived from its fields."""

from __future__ import annotations

import dataclasses

import pytest

from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.task import Pairing, Task

TASK = Task("sst", Classification(range(5)), ("text",), "label", None, None, "linear", 0.1, "cross_entropy", "accuracy")


def test_the_number_of_outputs_is_that_of_the_kind_and_the_loss() -> None:
    assert TASK.outputs == 5
    pair = dataclasses.replace(TASK, kind=Classification([0, 1]), loss="binary_cross_entropy")
    assert pair.outputs == 1


@pytest.mark.parametrize(("pair", "sequences"), [(None, 1), ("cross", 1), ("bi", 2)])
def test_only_a_bi_encoded_pair_has_two_sequences(pair: Pairing | None, sequences: int) -> None:
    assert dataclasses.replace(TASK, text=("text",) * (1 if pair is None else 2), pair=pair).sequences == sequences
