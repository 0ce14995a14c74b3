"""Prediction files: they are read as numbers, checked for equal dev examples, and refused if damaged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import RunError
from manyheads.studies.finished import read_dev, read_values
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression

Record = dict[str, Any]
XY = Classification(["x", "y"])
GOOD = [("a", "x", "x"), ("b", "y", "x"), ("c", "y", "y")]


def write(file: Path, cells: list[tuple[str, Any, Any]]) -> Path:
    lines = [json.dumps({"id": name, "prediction": prediction, "target": target}) for name, prediction, target in cells]
    file.write_text("".join(f"{line}\n" for line in lines))
    return file


def test_labels_become_their_indices(tmp_path: Path) -> None:
    file = write(tmp_path / "run", GOOD)
    dev = read_dev(file, "t", "accuracy", XY)
    assert dev.ids == ("a", "b", "c")
    assert dev.targets.tolist() == [0, 0, 1]
    assert read_values(file, dev).values.tolist() == [0, 1, 1]


def test_a_path_with_the_marks_of_a_pattern_is_that_file(tmp_path: Path) -> None:
    for folder, cells in (("row[1]", GOOD), ("row1", [("other", "x", "x")])):
        (tmp_path / folder).mkdir()
        write(tmp_path / folder / "run", cells)
    assert read_dev(tmp_path / "row[1]" / "run", "t", "accuracy", XY).ids == ("a", "b", "c")


def test_values_stay_values(tmp_path: Path) -> None:
    file = write(tmp_path / "run", [("a", 1.25, 2.0), ("b", -0.5, 0.0)])
    dev = read_dev(file, "t", "pearson", Regression(-5, 5))
    assert read_values(file, dev).values.tolist() == [1.25, -0.5]


def test_examples_without_a_target_are_skipped(tmp_path: Path) -> None:
    file = write(tmp_path / "run", [*GOOD, ("d", "x", None)])
    dev = read_dev(file, "t", "accuracy", XY)
    assert len(dev.ids) == len(read_values(file, dev)) == 3


@pytest.mark.parametrize(
    "other",
    [
        [("a", "x", "x"), ("b", "y", "x")],
        [("a", "x", "x"), ("b", "y", "x"), ("d", "y", "y")],
        [("a", "x", "x"), ("c", "y", "y"), ("b", "y", "x")],
        [("a", "x", "x"), ("b", "y", "y"), ("c", "y", "y")],
    ],
)
def test_runs_of_other_dev_examples_are_refused(tmp_path: Path, other: list[tuple[str, Any, Any]]) -> None:
    dev = read_dev(write(tmp_path / "one", GOOD), "t", "accuracy", XY)
    with pytest.raises(RunError, match="different dev examples of t"):
        read_values(write(tmp_path / "other", other), dev)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"id": "a", "predic', "damaged"),
        ('{"id": "a", "prediction": "z", "target": "x"}\n', "not a label of the task"),
    ],
)
def test_a_damaged_file_is_an_error(tmp_path: Path, content: str, message: str) -> None:
    dev = read_dev(write(tmp_path / "one", [("a", "x", "x")]), "t", "accuracy", XY)
    (tmp_path / "other").write_text(content)
    with pytest.raises(RunError, match=message):
        read_values(tmp_path / "other", dev)
    with pytest.raises(RunError, match="missing"):
        read_values(tmp_path / "nothing", dev)


def test_a_value_that_is_not_finite_is_an_error(tmp_path: Path) -> None:
    file = tmp_path / "run"
    file.write_text('{"id": "a", "prediction": NaN, "target": 1.0}\n')
    dev = read_dev(write(tmp_path / "other", [("a", 2.0, 1.0)]), "t", "pearson", Regression(-5, 5))
    with pytest.raises(RunError, match="not a finite number"):
        read_values(file, dev)


@pytest.mark.parametrize("labels", [["x", "y"], [0, 1], [True, False], [0, "y"], [0.5, 1.5]])
def test_labels_of_every_type_are_read(tmp_path: Path, labels: list[Any]) -> None:
    first, second = labels
    file = write(tmp_path / "run", [("a", first, first), ("b", second, first), ("c", second, second)])
    dev = read_dev(file, "t", "accuracy", Classification(labels))
    assert dev.targets.tolist() == [0, 0, 1]
    assert read_values(file, dev).values.tolist() == [0, 1, 1]
