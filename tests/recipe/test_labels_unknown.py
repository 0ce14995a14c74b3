"""Labels of dev and test files that training does not know: named, and counted as wrong, refused or left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import manyheads
from manyheads.errors import DataError, RecipeError
from manyheads.evaluation.evaluate import measure
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.reports.predictions import read_predictions
from manyheads.reports.views import confusion
from manyheads.runs.measure import measure_run
from manyheads.tasks.kind import Predictions
from manyheads.tasks.records import read_records

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.mood]
kind = "{kind}"
train = "train.csv"
dev = "dev.csv"
test = "test.csv"
text = "text"
label = "mood"
metrics = ["log_loss", "brier", "auc"]

[training]
epochs = 1
max_steps = 1
"""

TRAIN = ["good,m0", "bad,m1", "film,m2", "story,m0", "that,m1", "this,m2"]
TEST = ["good one,m0", "bad one,new", "the film,m2", "a story,new", "and that,odd", "of,", "this,-"]


def write(folder: Path, encoder: Path, *, dev: list[str] | None = None, test: list[str] | None = None) -> Path:
    rows = {"train": TRAIN, "dev": TRAIN if dev is None else dev, "test": TEST if test is None else test}
    for name, lines in rows.items():
        (folder / f"{name}.csv").write_text("\n".join(["text,mood", *lines]) + "\n")
    file = folder / "recipe.toml"
    file.write_text(RECIPE.format(encoder=encoder, kind="classification"))
    return file


def read(recipe: Path, *changes: str) -> tuple[TaskData, list[str]]:
    said: list[str] = []
    (data,) = read_tasks(load_recipe(recipe, list(changes)), lambda event, **fields: said.append(str(fields["text"])))
    return data, said


@pytest.fixture(scope="module")
def run(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    folder = tmp_path_factory.mktemp("unknown")
    return manyheads.train(write(folder, tiny_encoder), folder / "run")


def test_unknown_labels_of_a_test_file_are_named_and_kept(tiny_encoder: Path, tmp_path: Path) -> None:
    data, said = read(write(tmp_path, tiny_encoder))
    assert data.test is not None
    assert data.test.targets.tolist()[:5] == [0.0, 3.0, 2.0, 3.0, 3.0]
    assert np.isnan(data.test.targets[5:]).all()
    assert list(data.test.unknown or ()) == ["", "new", "", "new", "odd", "", ""]
    text = "test.csv: 3 rows have labels that training does not know, counted as wrong: 'new' (2), 'odd' (1)"
    assert any(each.endswith(text) for each in said)


def test_an_unknown_label_of_a_dev_file_is_a_bad_row(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, dev=[*TRAIN, "one,new"])
    with pytest.raises(DataError, match=r"dev.csv:8: label 'new' is not one of"):
        read(recipe)
    data, said = read(recipe, "tasks.mood.labels_unknown=wrong")
    assert data.dev.targets.tolist() == [0.0, 1.0, 2.0, 0.0, 1.0, 2.0, 3.0]
    assert any("1 row has a label that training does not know, counted as wrong: 'new' (1)" in each for each in said)


def test_rows_with_unknown_labels_may_be_left_out(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, dev=[*TRAIN, "one,new"])
    data, said = read(recipe, "tasks.mood.labels_unknown=skip")
    assert data.test is not None
    assert (len(data.dev), len(data.test), data.rejected) == (6, 4, {})
    assert sum("left out" in each for each in said) == 2


def test_an_error_names_the_rows_of_a_test_file(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"test.csv:3: label 'new' is not one of"):
        read(write(tmp_path, tiny_encoder), "tasks.mood.labels_unknown=error")


def test_an_unknown_label_of_a_training_file_stays_a_bad_row(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder)
    with pytest.raises(DataError, match=r"train.csv:4: label 'm2' is not one of"):
        read(recipe, 'tasks.mood.labels=["m0", "m1"]', "tasks.mood.labels_unknown=wrong")


def test_other_kinds_cannot_count_unknown_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder)
    recipe.write_text(RECIPE.format(encoder=tiny_encoder, kind="ordinal"))
    with pytest.raises(RecipeError, match="cannot count a label that training does not know as wrong"):
        load_recipe(recipe, ["tasks.mood.labels_unknown=wrong"])


@pytest.mark.parametrize("name", ["accuracy", "macro_f1", "mcc", "log_loss", "brier", "auc"])
def test_every_metric_counts_an_unknown_label_as_wrong(name: str, tiny_encoder: Path, tmp_path: Path) -> None:
    data, _ = read(write(tmp_path, tiny_encoder))
    shares = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8], [0.9, 0.05, 0.05]])
    predictions = Predictions(shares.argmax(axis=1).astype(np.float64), shares)
    right = measure(data.task, predictions, np.array([0.0, 1.0, 2.0, 0.0]))[name]
    wrong = measure(data.task, predictions, np.array([0.0, 1.0, 2.0, 3.0]))[name]
    assert right is not None
    assert wrong is not None
    assert wrong > right if name in ("log_loss", "brier") else wrong < right


def test_a_known_label_that_is_wrong_costs_the_same_accuracy(tiny_encoder: Path, tmp_path: Path) -> None:
    data, _ = read(write(tmp_path, tiny_encoder))
    predictions = Predictions(np.array([0.0, 1.0, 2.0]), np.eye(3))
    assert measure(data.task, predictions, np.array([0.0, 1.0, 3.0]))["accuracy"] == pytest.approx(2 / 3)


def test_the_records_of_a_run_keep_the_unknown_labels(run: manyheads.Run) -> None:
    file = run.folder.prediction_file("mood", "test", "last")
    written = [json.loads(line) for line in file.read_text().splitlines()]
    assert [each.get("target") for each in written] == ["m0", "new", "m2", "new", "odd", None, None]
    assert [each["id"] for each in written if each.get("target_unknown")] == ["2", "4", "5"]
    kind = load_task(run)
    found = read_records(file, kind, probabilities=True, hint="")
    assert found.targets.tolist() == [0.0, 3.0, 2.0, 3.0, 3.0]
    assert found.unlabelled == 2


def load_task(run: manyheads.Run) -> Any:
    from manyheads.recipe.tasks import finished_task

    return finished_task(load_recipe(run.folder.recipe), "mood").kind


def test_a_report_shows_unknown_labels_as_such(run: manyheads.Run) -> None:
    predictions = read_predictions(run.folder.prediction_file("mood", "test", "last"), load_task(run))
    assert [predictions.shown(target) for target in predictions.targets] == [
        "m0",
        "unknown label",
        "m2",
        "unknown label",
        "unknown label",
    ]
    matrix = confusion(predictions)
    assert matrix is not None
    assert matrix.labels[-1] == "unknown label"
    assert sum(matrix.counts[-1]) == 3


def test_evaluate_measures_what_the_run_predicted(run: manyheads.Run) -> None:
    """A cell `-` of a test file has no label to measure."""
    with pytest.raises(DataError, match=r"test.csv:7"):
        measure_run(run.folder.path, split="test")


def test_evaluate_counts_unknown_labels(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, test=TEST[:5])
    done = manyheads.train(recipe, tmp_path / "run")
    measured = measure_run(done.folder.path, split="test")
    file = done.folder.prediction_file("mood", "test", "best")
    predictions = read_predictions(file, load_task(done))
    assert measured.examples == {"mood": 5}
    assert any("3 rows have labels that training does not know" in each for each in measured.warnings)
    correct = float(np.mean(predictions.predictions == predictions.targets))
    assert measured.scores["tasks"]["mood"]["accuracy"] == pytest.approx(correct)


def test_a_resumed_run_reads_its_own_evaluations(run: manyheads.Run) -> None:
    from manyheads.run.evaluations import read_evaluations

    found = read_evaluations(run.folder.evaluations_file("mood", "test"))
    assert found.targets.tolist()[:5] == [0.0, 3.0, 2.0, 3.0, 3.0]
