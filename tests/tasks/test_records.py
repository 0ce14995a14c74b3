"""Predictions as records: JSON lines that are read again, and the exact two-column format of the course."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from manyheads.errors import DataError
from manyheads.model.losses import fitting_losses
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.records import (
    Recorded,
    course_header,
    course_lines,
    json_lines,
    read_records,
    records,
    same_targets,
)
from manyheads.tasks.task import Task


def _task(kind: Kind) -> Task:
    return Task("any", kind, ("a", "b"), "label", "id", "cross", "cross", 0.1, fitting_losses(kind)[0], kind.metrics[0])


def test_a_class_has_a_probability_for_every_label() -> None:
    kind = Classification(["no", "yes"])
    predictions = kind.decode(np.array([[-1.0], [2.0]]))
    found = list(records(kind, ["a", "b"], predictions, np.array([0.0, np.nan])))
    assert found[0] == {
        "id": "a",
        "prediction": "no",
        "probabilities": {"no": 0.7310586, "yes": 0.26894143},
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


@pytest.mark.parametrize("scale", [1e-30, 1e-5, 1.0, 1e5, 1e30])
def test_values_of_every_size_are_read_as_they_were(tmp_path: Path, scale: float) -> None:
    kind = Regression(0, scale)
    outputs = np.random.default_rng(0).random((50, 1)).astype(np.float32)
    targets = (np.random.default_rng(1).random(50) * scale).astype(np.float32)
    written = list(records(kind, [str(row) for row in range(50)], kind.decode(outputs), targets))
    for record, target in zip(written, targets, strict=True):
        assert repr(record["target"]) == str(float(str(target)))
    found = read_back(tmp_path, written, None)
    assert np.array_equal(found.predictions.astype(np.float32), kind.decode(outputs).values.astype(np.float32))
    assert np.array_equal(found.targets.astype(np.float32), targets)


@pytest.mark.parametrize(("low", "high"), [(1e9, 1e9 + 1), (0, 1e300), (0, 1e-300), (-1e7, -1e7 + 1e-3)])
def test_a_range_that_float32_does_not_resolve_has_all_digits(low: float, high: float) -> None:
    kind = Regression(low, high)
    predictions = kind.decode(np.array([[0.1], [0.7]]))
    assert [record["value"] for record in records(kind, ["a", "b"], predictions)] == predictions.values.tolist()


def test_small_probabilities_keep_their_digits(tmp_path: Path) -> None:
    kind = Classification(["no", "yes"])
    predictions = kind.decode(np.array([[-20.0], [30.0]]))
    assert predictions.probabilities is not None
    found = read_back(tmp_path, list(records(kind, ["a", "b"], predictions, np.zeros(2))), ["no", "yes"])
    assert found.probabilities is not None
    assert np.array_equal(found.probabilities.astype(np.float32), predictions.probabilities.astype(np.float32))
    assert found.probabilities[0, 1] == pytest.approx(2.0611537e-09, rel=1e-7)


def test_records_of_version_0_4_are_read(tmp_path: Path) -> None:
    rounded = {"id": "a", "prediction": 0.1234568, "value": 0.1234568, "target": 0.123457}
    exact = {"id": "a", "prediction": 0.12345678, "value": 0.12345678, "target": 0.1234567}
    old, new = read_back(tmp_path, [rounded], None), read_back(tmp_path, [exact], None)
    assert old.predictions[0] == pytest.approx(new.predictions[0], abs=1e-4)
    assert same_targets(old.targets, new.targets)
    other = read_back(tmp_path, [{**exact, "target": 0.1234587}], None)
    assert not same_targets(old.targets, other.targets)


def test_small_targets_that_differ_are_not_the_same() -> None:
    assert not same_targets(np.array([1e-7, 2.5e-7]), np.array([1e-7, 3.5e-7]))


def test_ids_with_line_separators_are_read(tmp_path: Path) -> None:
    ids = ["a\u2028b", "c\u0085d", "e\nf", "g\rh"]
    for labels in (["x", "y"], [0, "y"]):
        kind = Classification(labels)
        written = list(records(kind, ids, kind.decode(np.zeros((4, 1))), np.zeros(4)))
        assert list(read_back(tmp_path, written, labels).ids) == ids


def read_back(folder: Path, written: list[dict[str, object]], labels: Sequence[str | int] | None) -> Recorded:
    file = folder / "predictions.jsonl"
    file.write_text("".join(json_lines(written)), encoding="utf-8")
    kind = Regression(0, 5) if labels is None else Classification(labels)
    return read_records(file, kind, probabilities=True, hint="none")
