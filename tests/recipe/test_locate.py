from __future__ import annotations

import pytest

from manyheads.recipe.toml import agreement, line_of

TEXT = """\
encoder = "x"   # a comment
seed=1

[tasks.sst]
kind = "classification"
head = { kind = "b1", dropout = 0.3 }
[ tasks . "my task" ]   # spaces and quotes
kind = "regression"
[model]
training.epochs = 3
"""


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("encoder",), 1),
        (("seed",), 2),
        (("tasks", "sst"), 4),
        (("tasks", "sst", "kind"), 5),
        (("tasks", "sst", "head", "dropout"), 6),
        (("tasks", "sst", "label"), 4),
        (("tasks", "my task", "kind"), 8),
        (("tasks", "my task"), 7),
        (("tasks",), 4),
        (("model", "training", "epochs"), 10),
        (("model", "dropout"), 9),
        (("training",), None),
        (("tasks.sst",), None),
    ],
)
def test_the_line_is_that_of_the_key_or_of_the_table_around_it(key: tuple[str, ...], line: int | None) -> None:
    assert line_of(TEXT, key) == line


def test_agreement_counts_leading_parts() -> None:
    assert agreement(["a", "b", "c"], ["a", "b", "d", "c"]) == 2
    assert agreement([], ["a"]) == 0
