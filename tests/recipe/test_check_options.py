from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from manyheads.recipe.check_options import check_recipe, from_validation, head_of, pairing_of
from manyheads.recipe.schema import Recipe, task_model

TASK: dict[str, Any] = {"kind": "classification", "train": "a", "dev": 0.1, "text": ["s", "t"], "label": "y"}
SINGLE = {**TASK, "text": "s"}
LABELS = {**TASK, "kind": "multilabel"}
VALUES = {**TASK, "kind": "regression", "range": [0, 5]}


def _faults(task: dict[str, Any], **tables: Any) -> list[tuple[str, str]]:
    try:
        recipe = Recipe.model_validate({"encoder": "x", "tasks": {"a": task}, **tables})
    except ValidationError as error:
        return [(".".join(fault.key), fault.what) for fault in from_validation(error)]
    return [(".".join(fault.key), fault.what) for fault in check_recipe(recipe)]


@pytest.mark.parametrize(
    ("task", "key", "message"),
    [
        ({**TASK, "range": [0, 1]}, "tasks.a.range", "a classification task has no range"),
        ({**VALUES, "labels": [0, 1]}, "tasks.a.labels", "a regression task has no labels"),
        ({**LABELS, "threshold": {}}, "tasks.a.threshold", "the value is invalid"),
        ({**LABELS, "threshold": 1.5}, "tasks.a.threshold", "between 0 and 1"),
        ({**LABELS, "threshold": [0.5, 0.5]}, "tasks.a.threshold", "requires labels"),
        ({**LABELS, "labels": ["a", "b"], "threshold": [0.5]}, "tasks.a.threshold", "the number of thresholds differs"),
        ({**LABELS, "label": ["y", "y"]}, "tasks.a.label", "named twice"),
        ({**VALUES, "label": ["y", "z"]}, "tasks.a.label", "a regression task has one label column"),
        ({**TASK, "label": ["y"]}, "tasks.a.label", "one column per label"),
        ({**TASK, "label": ["y", "z"], "soft": False}, "tasks.a.soft", "which are soft"),
        (
            {**TASK, "label": ["y", "z"], "labels": [0, 1, 2]},
            "tasks.a.labels",
            "differs from the number of label columns",
        ),
        ({**TASK, "kind": "ordinal", "labels": [0, 1]}, "tasks.a.labels", "at least three labels"),
        ({**TASK, "kind": "ordinal", "range": [0, 1]}, "tasks.a.range", "an ordinal task has no range"),
        ({**VALUES, "range": [5, 0]}, "tasks.a.range", "the lower first"),
        ({**VALUES, "range": [-1e308, 1e308]}, "tasks.a.range", "too wide for float32"),
        ({**TASK, "labels": ["yes"]}, "tasks.a.labels", "at least two labels"),
        ({**TASK, "labels": []}, "tasks.a.labels", "at least two labels"),
        ({**TASK, "labels": [1, "1.0"]}, "tasks.a.labels", "must differ"),
        (
            {**TASK, "labels": [0, 1], "class_weights": [1.0]},
            "tasks.a.class_weights",
            "the number of class weights differs from the number of labels",
        ),
        ({**TASK, "labels": [0, 1], "class_weights": [1.0, -1.0]}, "tasks.a.class_weights", "below 0"),
        ({**TASK, "labels": [0, 1], "class_weights": [0, 0]}, "tasks.a.class_weights", "all class weights are 0"),
        ({**TASK, "class_weights": [1.0, 1.0]}, "tasks.a.class_weights", "requires labels"),
        ({**VALUES, "class_weights": [1.0]}, "tasks.a.class_weights", "a regression task has no class_weights"),
        ({**TASK, "labels": [0, 1, 2], "loss": "l1"}, "tasks.a.loss", "unknown loss"),
        ({**VALUES, "loss": "cross_entropy"}, "tasks.a.loss", "unknown loss"),
        ({**VALUES, "metric": "accurcy"}, "tasks.a.metric", "unknown metric"),
        ({**VALUES, "metric": "accuracy"}, "tasks.a.metric", "it needs one label per example"),
        ({**VALUES, "metric": "rmse"}, "tasks.a.metric", "cannot be the primary metric: lower is better"),
        ({**TASK, "metric": {"kind": "brier"}}, "tasks.a.metric", "cannot be the primary metric: lower is better"),
        ({**TASK, "metric": {"kind": "f1", "clases": [1]}}, "tasks.a.metric.clases", "unknown key 'clases'"),
        ({**TASK, "metric": {"kind": "auc", "classes": [1]}}, "tasks.a.metric.classes", "unknown key 'classes'"),
        ({**TASK, "metric": {"kind": "f1", "classes": []}}, "tasks.a.metric.classes", "the value is invalid"),
        ({**TASK, "metric": {"classes": [1]}}, "tasks.a.metric", "the table of a metric has no kind"),
        ({**TASK, "metric": {"kind": "f2", "classes": [1]}}, "tasks.a.metric.kind", "unknown metric"),
        ({**TASK, "metric": {"kind": 3, "classes": [1]}}, "tasks.a.metric.kind", "unknown metric"),
        ({**TASK, "labels": [0, 1, 2], "metric": "f1"}, "tasks.a.metric", "with 3 labels must name the classes"),
        (
            {**TASK, "labels": ["yes", "no"], "metric": {"kind": "f1", "classes": ["yess"]}},
            "tasks.a.metric",
            "did you mean 'yes'?",
        ),
        ({**TASK, "labels": ["a", "b"], "metric": "quadratic_kappa"}, "tasks.a.metric", "numbers in ascending order"),
        ({**TASK, "metrics": ["auc", "rmse"]}, "tasks.a.metrics", "it needs a regression"),
        ({**TASK, "metrics": ["acu"]}, "tasks.a.metrics", "unknown metric"),
        (
            {**TASK, "labels": [1, 10], "metrics": [{"kind": "f1", "classes": ["1"]}, {"kind": "f1", "classes": [1]}]},
            "tasks.a.metrics",
            "two metrics have the same name in results",
        ),
        ({**SINGLE, "pair": "bi"}, "tasks.a.pair", "two text columns"),
        ({**SINGLE, "head": "b2"}, "tasks.a.head.kind", "the task has one text"),
        ({**TASK, "pair": "cross", "head": "b1"}, "tasks.a.head.kind", "the head requires a pair in two sequences"),
        ({**TASK, "head": "linear"}, "tasks.a.head.kind", "the head requires one text"),
        ({**TASK, "head": "crss"}, "tasks.a.head.kind", "unknown head"),
        ({**TASK, "text": ["s", "s"]}, "tasks.a.text", "the two text columns are the same"),
        ({**TASK, "label": "s"}, "tasks.a.label", "also a text column"),
        ({**TASK, "dev": "a"}, "tasks.a.dev", "is the training file"),
        ({**TASK, "loss_weight": 0}, "tasks", "nothing would be trained"),
    ],
)
def test_a_combination_that_cannot_work_is_a_fault_at_its_key(task: dict[str, Any], key: str, message: str) -> None:
    ((faulty, what),) = _faults(task)
    assert faulty == key
    assert message in what


@pytest.mark.parametrize(
    ("table", "key"), [("batching", "strategy"), ("training", "schedule"), ("training", "weighting")]
)
def test_a_name_that_is_not_on_the_menu_is_a_fault(table: str, key: str) -> None:
    ((faulty, what),) = _faults(TASK, **{table: {key: "nothing"}})
    assert faulty == f"{table}.{key}"
    assert what == f"unknown {key}"


def test_a_task_name_must_be_usable_in_file_names() -> None:
    for name, faults in (("average", 1), ("course_score", 1), ("a/b", 1), ("", 1), ("-a", 1), ("para_2-x", 0)):
        recipe = Recipe.model_validate({"encoder": "x", "tasks": {name: TASK}})
        assert len(check_recipe(recipe)) == faults, name


@pytest.mark.parametrize(
    ("changes", "pairing", "head"),
    [
        ({"text": "s"}, None, "linear"),
        ({}, "cross", "cross"),
        ({"pair": "bi"}, "bi", "b2"),
        ({"head": "b1"}, "bi", "b1"),
        ({"head": "cross"}, "cross", "cross"),
        ({"pair": "bi", "head": {"kind": "b1"}}, "bi", "b1"),
    ],
)
def test_pairing_and_head_default_to_each_other(changes: dict[str, Any], pairing: str | None, head: str) -> None:
    options = task_model("classification").model_validate({**TASK, **changes})
    assert (pairing_of(options), head_of(options)) == (pairing, head)


def test_every_metric_that_fits_can_be_named_and_both_forms_are_equal() -> None:
    task = {**TASK, "labels": [0, 1, 2], "metric": {"kind": "auc"}, "metrics": ["log_loss", {"kind": "brier"}, "mcc"]}
    assert _faults(task) == []
    options = task_model("classification").model_validate(task)
    assert options.metric == "auc"
    assert options.metrics == ["log_loss", "brier", "mcc"]
    assert _faults({**TASK, "metric": {"kind": "f1", "classes": ["favor", "against"]}}) == []
