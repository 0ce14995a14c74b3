"""The weights of rows and of classes: which update they give, what is recorded, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from tests.training.test_distributed import ended, torchrun
from tests.training.test_update import RECIPE, assert_same_update, update_of

import manyheads
from manyheads.checks.rehearse import rehearse
from manyheads.errors import DataError, RecipeError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal

TASK = """
[tasks.a]
kind = "classification"
train = "{train}.csv"
dev = "dev.csv"
text = "text"
label = "label"
labels = [0, 1, 2]
head = {{ kind = "linear", dropout = 0.0 }}
{more}

"""

ROWS = [("the good film", 0, 1.0), ("a bad story", 1, 3.0), ("that film", 1, 2.0), ("this", 0, 0.0), ("of bad", 0, 2.0)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    lines = [f"{text},{label},{weight}" for text, label, weight in ROWS]
    (tmp_path / "once.csv").write_text("\n".join(["text,label,sure", *lines]) + "\n")
    lines = [f"{text},{label}" for text, label, weight in ROWS for _ in range(int(weight))]
    (tmp_path / "repeated.csv").write_text("\n".join(["text,label", *lines]) + "\n")
    (tmp_path / "dev.csv").write_text("text,label\nthe film,0\nthe story,1\nbad,2\n")
    return tmp_path


def write(folder: Path, encoder: object, train: str = "once", more: str = "") -> Path:
    file = folder / "recipe.toml"
    file.write_text(RECIPE.format(encoder=encoder, tasks=TASK.format(train=train, more=more)))
    return file


def train(recipe: Path, name: str, *changes: str) -> Path:
    return manyheads.train(recipe, recipe.parent / name, changes=["batching.batch_size=16", *changes]).folder.path


@pytest.mark.usefixtures("forked_commands")
def test_a_row_of_weight_2_counts_like_two_rows_however_the_update_is_divided(tiny_encoder: Path, folder: Path) -> None:
    repeated = train(write(folder, tiny_encoder, "repeated"), "repeated")
    recipe = write(folder, tiny_encoder, more='weight = "sure"')
    assert_same_update(repeated, train(recipe, "once"))
    parts = ["batching.batch_size=2", "training.accumulation=3"]
    assert_same_update(repeated, train(recipe, "parts", *parts))
    output = ended(process := torchrun(2, recipe, folder / "processes", *parts))
    assert process.returncode == 0, output
    assert_same_update(repeated, folder / "processes")
    assert_same_update(repeated, train(folder / "processes" / "recipe.toml", "again"))


@pytest.mark.parametrize("cell", ["", "-1", "much", "inf", "nan"])
def test_a_weight_that_is_no_number_of_at_least_0_is_a_bad_row(cell: str, folder: Path) -> None:
    with (folder / "once.csv").open("a") as file:
        file.write(f"story,2,{cell}\n")
    recipe = load_recipe(write(folder, "x", more='weight = "sure"'))
    with pytest.raises(DataError, match=r"once\.csv:7: weight 'sure' is "):
        read_tasks(recipe, lambda event, **fields: None)
    (data,) = read_tasks(load_recipe(write(folder, "x")), lambda event, **fields: None)
    assert len(data.train) == 6
    assert data.train.weights is None


def test_the_weights_of_the_training_rows_have_the_mean_1(folder: Path) -> None:
    recipe = load_recipe(write(folder, "x", more='weight = "sure"\ntrain_rows = 4'))
    (data,) = read_tasks(recipe, lambda event, **fields: None)
    assert data.train.weights is not None
    assert float(np.mean(data.train.weights)) == pytest.approx(1)
    assert data.dev.weights is None
    (folder / "once.csv").write_text("text,label,sure\nfilm,0,0\nstory,1,0\n")
    with pytest.raises(DataError, match="all training rows have the weight 0"):
        read_tasks(recipe, lambda event, **fields: None)


@pytest.mark.parametrize("column", ["label", "text"])
def test_the_column_of_weights_has_no_labels_and_no_texts(column: str, folder: Path) -> None:
    with pytest.raises(RecipeError, match="also a text or label column"):
        load_recipe(write(folder, "x", more=f'weight = "{column}"'))
    recipe = load_recipe(write(folder, "x", more='weight = "wait"'))
    with pytest.raises(DataError, match="no column 'wait'"):
        read_tasks(recipe, lambda event, **fields: None)


def test_balanced_class_weights_are_those_of_the_training_rows(tiny_encoder: Path, folder: Path) -> None:
    recipe = write(folder, tiny_encoder, more='class_weights = "balanced"')
    run = manyheads.train(recipe, folder / "balanced", changes=["batching.batch_size=2"]).folder
    assert run.read_provenance()["class_weights"] == {"a": [pytest.approx(5 / 6), 1.25, 1.0]}
    changes = [f"tasks.a.class_weights={[5 / 6, 1.25, 1.0]}", "batching.batch_size=2"]
    named = manyheads.train(recipe, folder / "named", changes=changes).folder
    assert (run.path / "results.csv").read_bytes() == (named.path / "results.csv").read_bytes()
    again = manyheads.train(run.recipe, folder / "again").folder
    assert (again.model / "heads.safetensors").read_bytes() == (run.model / "heads.safetensors").read_bytes()
    assert manyheads.train(recipe, run.path, changes=["batching.batch_size=2"], resume=True).results


def test_check_shows_the_balanced_weights(tiny_encoder: Path, folder: Path) -> None:
    recipe = load_recipe(write(folder, tiny_encoder, more='class_weights = "balanced"\nweight = "sure"'))
    shown = "a: class weights, balanced over 5 training rows: 0: 1.333, 1: 0.8, 2: 1"
    assert shown in rehearse(recipe).warnings


def test_balanced_weights_give_each_class_the_same_total() -> None:
    targets = np.array([0.0, 0, 0, 1, 3, 3])
    weights = Ordinal([1, 2, 3, 4]).balanced_weights(targets, np.ones(6))
    assert weights.tolist() == [pytest.approx(6 / 9), 2.0, 1.0, 1.0]
    assert weights[targets.astype(int)].mean() == pytest.approx(1)
    several = np.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 0, 0]])
    found = Multilabel(["a", "b", "c"]).balanced_weights(several, np.array([1.0, 1, 2, 0]))
    assert found.tolist() == [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    found = Multilabel(["a", "b", "c"]).balanced_weights(several, np.ones(4))
    np.testing.assert_allclose(found, [[2.0, 2 / 3, 1.0], [2 / 3, 2.0, 1.0]])


def test_losses_of_rows_with_and_without_a_label_have_their_balanced_weights() -> None:
    import torch

    from manyheads.model.losses import LOSSES, build_loss

    kind, options = Multilabel(["a", "b"]), LOSSES["binary_cross_entropy"].options(kind="binary_cross_entropy")
    outputs, targets = torch.tensor([[0.3, -0.2]]), torch.tensor([[1.0, 0.0]])
    terms = torch.nn.functional.binary_cross_entropy_with_logits(outputs, targets, reduction="none")
    weighted = build_loss(kind, options, np.array([[2.0, 3.0], [5.0, 7.0]]))(outputs, targets)
    torch.testing.assert_close(weighted, (terms * torch.tensor([[5.0, 3.0]])).mean(dim=1))


def test_an_update_of_a_run_with_weights_reports_the_weighted_mean(tiny_encoder: Path, folder: Path) -> None:
    plain, _ = update_of(train(write(folder, tiny_encoder), "plain"))
    weighted, _ = update_of(train(write(folder, tiny_encoder, more='weight = "sure"'), "weighted"))
    assert weighted["a"] != pytest.approx(plain["a"], rel=1e-3)


def test_the_weight_of_a_row_counts_for_each_of_its_words(tiny_encoder: Path, folder: Path) -> None:
    rows = [
        (["the", "good", "film"], [0, 1, 2], 2),
        (["a", "story"], [0, 2], 1),
        (["this", "bad", "film"], [0, 1, 1], 3),
    ]
    for name, copies in (("once", 1), ("repeated", 0)):
        lines = [
            json.dumps({"text": text, "label": tags, "sure": weight})
            for text, tags, weight in rows
            for _ in range(copies or weight)
        ]
        (folder / f"{name}.csv").with_suffix(".jsonl").write_text("\n".join(lines) + "\n")
    (folder / "dev.jsonl").write_text((folder / "once.jsonl").read_text())
    task = TASK.replace("classification", "words").replace(".csv", ".jsonl").replace("linear", "tokens")
    runs = {}
    for name, more in (("once", 'weight = "sure"'), ("repeated", "")):
        (folder / f"{name}.toml").write_text(
            RECIPE.format(encoder=tiny_encoder, tasks=task.format(train=name, more=more))
        )
        runs[name] = train(folder / f"{name}.toml", f"run-{name}")
    assert_same_update(runs["repeated"], runs["once"])
