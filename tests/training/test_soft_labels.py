"""Soft labels: how cells are read, which update they give, and that metrics compare with the most probable label."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_update import RECIPE, assert_same_update

import manyheads
from manyheads.errors import DataError, RecipeError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.reports.content import build_report
from manyheads.runs.measure import measure_run
from manyheads.tasks.cells import Columns
from manyheads.tasks.kind import LabelError
from manyheads.tasks.kinds.classification import Classification, soft_label
from manyheads.tasks.labels import Labels
from manyheads.wizard.survey import guess_kind

TASK = """
[tasks.a]
kind = "classification"
train = "{train}"
dev = "{dev}"
text = "text"
label = {label}
head = {{ kind = "linear", dropout = 0.0 }}
{more}

"""

LABELS = ("neg", "neutral", "pos")
ROWS = [
    ("the good film", (0.0, 0.25, 0.75)),
    ("a bad story", (0.5, 0.5, 0.0)),
    ("that film", (0.1, 0.2, 0.7)),
    ("this", (0.0, 1.0, 0.0)),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    columns = [f"{text},{','.join(map(str, shares))}" for text, shares in ROWS]
    (tmp_path / "columns.csv").write_text("\n".join(["text,neg,neutral,pos", *columns]) + "\n")
    objects = [{"text": text, "label": dict(zip(LABELS, shares, strict=True))} for text, shares in ROWS]
    (tmp_path / "objects.jsonl").write_text("".join(json.dumps(row) + "\n" for row in objects))
    json_cells = [f"{text}\t{json.dumps(shares)}" for text, shares in ROWS]
    (tmp_path / "lists.tsv").write_text("\n".join(["text\tlabel", *json_cells]) + "\n")
    parts = [
        f"{text},{label},{share}" for text, shares in ROWS for label, share in zip(LABELS, shares, strict=True) if share
    ]
    (tmp_path / "parts.csv").write_text("\n".join(["text,label,share", *parts]) + "\n")
    (tmp_path / "dev.csv").write_text("text,label\nthe film,pos\nthe story,neutral\nbad,neg\n")
    return tmp_path


def write(folder: Path, train: str, label: str, *, dev: str = "dev.csv", more: str = "", encoder: object = "x") -> Path:
    file = folder / f"{train}.toml"
    tasks = TASK.format(train=train, dev=dev, label=label, more=more)
    file.write_text(RECIPE.format(encoder=encoder, tasks=tasks))
    return file


def read(recipe: Path) -> TaskData:
    (data,) = read_tasks(load_recipe(recipe), lambda event, **fields: None)
    return data


FORMS = {
    "columns.csv": ('["neg", "neutral", "pos"]', ""),
    "objects.jsonl": ('"label"', "soft = true"),
    "lists.tsv": ('"label"', 'soft = true\nlabels = ["neg", "neutral", "pos"]'),
}


@pytest.mark.parametrize("train", FORMS)
def test_every_form_of_cells_gives_the_same_targets_and_probabilities(train: str, folder: Path) -> None:
    label, more = FORMS[train]
    dev = f"dev-{train}"
    (folder / dev).write_bytes((folder / train).read_bytes())
    data = read(write(folder, train, label, more=more, dev=dev))
    assert data.task.kind == Classification(LABELS, soft=True)
    assert data.train.targets.tolist() == [2, 0, 2, 1], "the first of equal labels"
    assert data.train.soft is not None
    np.testing.assert_allclose(data.train.soft, [shares for _, shares in ROWS])


def test_a_soft_label_trains_like_a_row_for_each_label_with_its_probability(tiny_encoder: Path, folder: Path) -> None:
    changes = ["batching.batch_size=16"]
    recipe = write(folder, "objects.jsonl", '"label"', more="soft = true", encoder=tiny_encoder)
    soft = manyheads.train(recipe, folder / "soft", changes=changes)
    more = 'weight = "share"\nlabels = ["neg", "neutral", "pos"]'
    recipe = write(folder, "parts.csv", '"label"', more=more, encoder=tiny_encoder)
    parts = manyheads.train(recipe, folder / "parts", changes=changes)
    assert_same_update(soft.folder.path, parts.folder.path)
    again = manyheads.train(soft.folder.recipe, folder / "again").folder
    assert (again.model / "heads.safetensors").read_bytes() == (soft.folder.model / "heads.safetensors").read_bytes()
    metrics = soft.results["last"]["tasks"]["a"]
    assert measure_run(soft.folder.path).scores["tasks"]["a"] == pytest.approx(metrics, abs=1e-6)
    assert {each.name: each.value for each in build_report(soft.folder.path).tasks[0].measures} == pytest.approx(
        metrics, abs=1e-6, nan_ok=True
    )
    predicted = manyheads.load(soft.folder.path).predict("a", ["the film"])
    assert predicted.labels[0] in LABELS


def test_balanced_weights_count_shares_of_rows(folder: Path) -> None:
    data = read(write(folder, "objects.jsonl", '"label"', more='soft = true\nclass_weights = "balanced"'))
    sums = np.array([shares for _, shares in ROWS]).sum(axis=0)
    np.testing.assert_allclose(data.class_weights, 4 / (3 * sums))


CELLS = [
    ({"neg": 0.2, "pos": 0.8}, [0.2, 0, 0.8]),
    ({"neg": 0.2, "neutral": None, "pos": 0.8}, [0.2, 0, 0.8]),
    ('{"pos": 1}', [0, 0, 1]),
    ("[0.5, 0.25, 0.25]", [0.5, 0.25, 0.25]),
    ([0.5, 0.2501, 0.25], [0.5 / 1.0001, 0.2501 / 1.0001, 0.25 / 1.0001]),
    ([0.189, 0.364, 0.446], [0.189 / 0.999, 0.364 / 0.999, 0.446 / 0.999]),
    (["0.561", "0.402", "0.038"], [0.561 / 1.001, 0.402 / 1.001, 0.038 / 1.001]),
    ("neutral", [0, 1, 0]),
    (Columns(a="0.5", b="0", c=0.5), [0.5, 0, 0.5]),
]


@pytest.mark.parametrize(("cell", "shares"), CELLS)
def test_cells_of_soft_labels(cell: object, shares: list[float]) -> None:
    found = soft_label(cell, Labels(LABELS, noun="a task"))
    np.testing.assert_allclose(found, shares)
    assert found.sum() == pytest.approx(1)


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ({"neg": 0.2, "pos": 0.7}, "add up to 0.9 and not to 1"),
        ({"neg": -0.2, "pos": 1.2}, "'?-0.2'? is below 0"),
        ({"neg": "much", "pos": 1}, "'much' is not a number"),
        ({"nag": 0.2, "pos": 0.8}, "'nag' is not one of .* did you mean 'neg'"),
        ([0.5, 0.5], "has 2 probabilities, for 3 labels"),
        ("0.7", "'0.7' is not one of"),
        ("", "label is missing"),
        (Columns(a="0.5", b="", c=0.5), "'' is not a number"),
        ({}, "add up to 0"),
    ],
)
def test_a_cell_without_a_distribution_is_a_bad_row(cell: object, reason: str) -> None:
    with pytest.raises(LabelError, match=reason):
        soft_label(cell, Labels(LABELS, noun="a task"))


def test_votes_are_a_bad_row_with_what_to_do() -> None:
    with pytest.raises(LabelError, match="add up to 9 and not to 1") as caught:
        soft_label({"neg": 6, "neutral": 2, "pos": 1}, Labels(LABELS, noun="a task"))
    assert caught.value.hint == "if the numbers are votes, divide each of them by the sum of its row"


def test_init_takes_objects_with_probabilities_for_soft_labels() -> None:
    cells = [{"neg": 0.25, "pos": 0.75}] * 200
    assert Classification.guess([*cells, {"neg": 2}], name="f", typed=True) == Classification(["neg", "pos"], soft=True)
    votes = [{"neg": 2, "pos": 1}] * 5
    assert Classification.guess(votes, name="f", typed=True) is None
    with pytest.raises(DataError, match="fits no kind of task") as error:
        guess_kind("f", votes, typed=True)
    assert error.value.found == "a cell {'neg': 2, 'pos': 1}"


def test_what_cannot_be_soft_is_refused(folder: Path) -> None:
    with pytest.raises(RecipeError, match="several label columns have the probabilities"):
        load_recipe(write(folder, "columns.csv", '["neg", "pos"]', more="soft = false"))
    with pytest.raises(RecipeError, match="number of labels differs from the number of label columns"):
        load_recipe(write(folder, "columns.csv", '["neg", "pos"]', more="labels = [1, 2, 3]"))
    with pytest.raises(RecipeError, match="one column per label"):
        load_recipe(write(folder, "columns.csv", '["neg"]'))
    with pytest.raises(DataError, match="does not name the labels") as error:
        read(write(folder, "lists.tsv", '"label"', more="soft = true"))
    assert "list the labels" in str(error.value)
    with pytest.raises(DataError, match="set soft = true"):
        read(write(folder, "objects.jsonl", '"label"'))
