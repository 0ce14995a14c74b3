"""Predictions as records: JSON lines, and the course's two-column form to the letter."""

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


def test_classes_carry_a_probability_a_label() -> None:
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


def test_values_carry_the_value_and_targets_are_as_they_were_written() -> None:
    kind = Regression(0, 5)
    predictions = kind.decode(np.array([[0.5]], dtype=np.float32))
    (found,) = records(kind, ["x"], predictions, np.array([2.4], dtype=np.float32))
    assert found == {"id": "x", "prediction": 2.5, "value": 2.5, "target": 2.4}


def test_without_targets_there_is_no_such_key() -> None:
    (found,) = records(Regression(0, 1), ["x"], Predictions(np.array([0.25]), None))
    assert "target" not in found


def test_json_lines_are_one_a_record_and_keep_letters() -> None:
    lines = list(json_lines([{"id": "é", "prediction": 1}, {"id": "b", "prediction": True}]))
    assert lines[0] == '{"id": "é", "prediction": 1}\n'
    assert [json.loads(line)["id"] for line in lines] == ["é", "b"]


def test_the_courses_headers_are_spelt_as_the_course_spells_them() -> None:
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


def test_the_course_form_has_no_place_for_names() -> None:
    kind = Classification(["no", "yes"])
    task = dataclasses.replace(_task(kind), name="mood")
    with pytest.raises(DataError, match="task mood"):
        list(course_lines(task, records(kind, ["a"], kind.decode(np.array([[1.0]])))))
