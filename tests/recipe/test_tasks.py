from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

from manyheads.data.reading import open_source
from manyheads.errors import DataError, RecipeError
from manyheads.recipe.schema import Recipe, TaskOptions, task_model
from manyheads.recipe.tasks import LabelSpace, build_task, kind_of, label_spaces, resolved_options
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.task import Task

BINARY = Classification([0, 1])
THREE = Classification([0, 1, 2])
VALUES = Regression(0, 5)

ROWS = "s,t,y,other\none,two,1,x\nthree,four,0,x\nfive,six,2.5,x\n"


def _options(**changes: Any) -> TaskOptions:
    base = {"kind": "classification", "train": "a.csv", "dev": 0.1, "text": ["s", "t"], "label": "y"}
    table = {**base, **changes}
    return task_model(table["kind"]).model_validate(table)


def _space(tmp_path: Path, options: TaskOptions) -> LabelSpace:
    (tmp_path / "a.csv").write_text(ROWS)
    return label_spaces({"a": (options, open_source("a.csv", tmp_path))})["a"]


def test_a_missing_label_space_is_read_from_the_training_file_and_reported(tmp_path: Path) -> None:
    classes = _space(tmp_path, _options())
    assert classes.kind == Classification([0, 1, 2.5])
    assert "3 labels found" in classes.notes[0]
    values = _space(tmp_path, _options(kind="regression"))
    assert values.kind == Regression(0, 2.5)
    assert "range 0 to 2.5" in values.notes[0]


def test_a_given_label_space_is_not_changed(tmp_path: Path) -> None:
    assert _space(tmp_path, _options(labels=["b", "a"])) == LabelSpace(Classification(["b", "a"]))
    assert _space(tmp_path, _options(kind="regression", range=[0, 5])) == LabelSpace(VALUES)


def test_an_unknown_label_column_is_an_error_with_the_nearest_name(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="did you mean 'other'"):
        _space(tmp_path, _options(label="othr"))


@pytest.mark.parametrize(
    ("changes", "space", "expected"),
    [
        ({}, BINARY, ("cross", "cross", "binary_cross_entropy", "accuracy")),
        ({}, THREE, ("cross", "cross", "cross_entropy", "accuracy")),
        ({"text": "s"}, THREE, (None, "linear", "cross_entropy", "accuracy")),
        ({"pair": "bi"}, BINARY, ("bi", "b2", "binary_cross_entropy", "accuracy")),
        ({"head": "b1"}, BINARY, ("bi", "b1", "l1", "accuracy")),
        ({"head": "b1", "loss": "cross_entropy"}, BINARY, ("bi", "b1", "cross_entropy", "accuracy")),
        ({"kind": "regression"}, VALUES, ("cross", "cross", "mse", "pearson")),
        (
            {"kind": "regression", "metric": "spearman"},
            VALUES,
            ("cross", "cross", "mse", "spearman"),
        ),
    ],
)
def test_missing_keys_of_a_task_follow_from_the_other_keys(
    changes: dict[str, Any], space: Kind, expected: tuple[str | None, str, str, str]
) -> None:
    task = build_task("a", _options(**changes), space)
    assert (task.pair, task.head, task.loss, task.metric) == expected


def test_a_loss_that_does_not_fit_the_labels_is_an_error() -> None:
    with pytest.raises(RecipeError, match="does not fit") as error:
        build_task("a", _options(loss="l1"), THREE)
    assert error.value.where == "tasks.a.loss"
    assert error.value.allowed == "cross_entropy"


@pytest.mark.parametrize(
    "changes", [{}, {"text": "s"}, {"head": {"kind": "b1", "dropout": 0.3}}, {"kind": "regression"}]
)
def test_a_resolved_table_gives_the_same_task_without_reading_the_file(tmp_path: Path, changes: dict[str, Any]) -> None:
    options = _options(**changes)
    first: Task = build_task("a", options, _space(tmp_path, options).kind)
    resolved = resolved_options(options, first)
    again = type(resolved).model_validate(resolved.model_dump())
    assert again == resolved
    assert build_task("a", again, kind_of(again)) == first


def test_a_recipe_can_be_pickled_because_processes_send_it() -> None:
    table = {"kind": "multilabel", "train": "a", "dev": 0.1, "text": "s", "label": "y", "threshold": 0.3}
    recipe = Recipe.model_validate({"encoder": "x", "tasks": {"a": table}})
    again = pickle.loads(pickle.dumps(recipe))
    assert again == recipe
    assert type(again.tasks["a"]) is type(recipe.tasks["a"])
