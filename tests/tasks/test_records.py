"""Predictions as records: JSON lines, and the exact two-column format of the course."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from manyheads.errors import DataError
from manyheads.tasks.classification import Classification
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.records import course_header, course_lines, json_lines, records
from manyheads.tasks.regression import Regression
from manyheads.tasks.task import Task


def _task(kind: Kind) -> Task:
    return Task("any", kind, ("a", "b"), "label", "id", "cross", "cross", 0.1, kind.losses[0], kind.metrics[0])


def test_a_class_has_a_probability_for_every_label() -> None:
    kind = Classification(["no", "yes"])
    predictions = kind.decode(np.array([[-1.0], [2.0]]))
    found = list(records(kind, ["a", "b"], predictions, np.array([0.0, np.nan])))
    assert found[0] == {
        "id": "a",
        "prediction": "no",
        "probabilities": {"no": 0.7310586, "yes": 0.2689414},
        "target": "no",
    }
    assert found[1]["prediction"] == "yes"
    assert found[1]["target"] is None


def test_a_value_has_a_value_key_and_its_target_is_as_written() -> None:
    kind = Regression(0, 5)
    predictions = kind.decode(np.array([[0.5]], dtype=np.float32))
    (found,) = records(kind, ["x"], predictions, np.array([2.4], dtype=np.float32))
    assert found == {"id": "x", "prediction": 2.5, "value": 2.5, "target": 2.4}


def test_without_targets_there_is_no_target_key() -> None:
    (found,) = records(Regression(0, 1), ["x"], Predictions(np.array([0.25]), None))
    assert "target" not in found


def test_each_record_is_one_json_line_and_letters_are_not_escaped() -> None:
    lines = list(json_lines([{"id": "é", "prediction": 1}, {"id": "b", "prediction": True}]))
    assert lines[0] == '{"id": "é", "prediction": 1}\n'
    assert [json.loads(line)["id"] for line in lines] == ["é", "b"]


def test_the_headers_have_the_spelling_of_the_course() -> None:
    assert course_header(_task(Classification(range(5)))) == "id \t Predicted_Sentiment \n"
    assert course_header(_task(Classification([0, 1]))) == "id \t Predicted_Is_Paraphrase \n"
    assert course_header(_task(Regression(0, 5))) == "id \t Predicted_Similiary \n"


@pytest.mark.parametrize(
    ("kind", "outputs", "line"),
    [
        (Classification([0, 1, 2]), [[0.0, 0.0, 9.0]], "ab12 , 2 \n"),
        (Classification([0.0, 1.0, 2.0]), [[0.0, 9.0, 0.0]], "ab12 , 1 \n"),
        (Classification([0, 1]), [[9.0]], "ab12 , 1.0 \n"),
        (Classification([False, True]), [[-9.0]], "ab12 , 0.0 \n"),
        (Regression(0, 5), [[0.25]], "ab12 , 1.25 \n"),
    ],
)
def test_a_course_line(kind: Kind, outputs: list[list[float]], line: str) -> None:
    predictions = kind.decode(np.array(outputs))
    assert list(course_lines(_task(kind), records(kind, ["AB12"], predictions))) == [line]


def test_the_course_format_refuses_labels_that_are_names() -> None:
    kind = Classification(["no", "yes"])
    task = dataclasses.replace(_task(kind), name="mood")
    with pytest.raises(DataError, match="task mood"):
        list(course_lines(task, records(kind, ["a"], kind.decode(np.array([[1.0]])))))
