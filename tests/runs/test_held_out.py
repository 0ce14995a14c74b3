"""Dev rows held out of the training file: the same for every seed, and never rows that the model was trained on."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.older import without_checksums

import manyheads
from manyheads.errors import DataError, RunError
from manyheads.recipe.begin import check_same
from manyheads.recipe.held_out import fingerprint
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import examples_held_out_in_0_4
from manyheads.reports.compare import compare
from manyheads.run.folder import RunFolder
from manyheads.runs.measure import measure_run

CORPUS = Path(manyheads.__file__).parent / "demo" / "corpus"

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.sentiment]
kind = "classification"
train = "sentences.tsv"
dev = 0.1
text = "sentence"
label = "sentiment"

[training]
epochs = 1
max_steps = 6
"""


@pytest.fixture
def recipe(tiny_encoder: Path, tmp_path: Path) -> Path:
    shutil.copy(CORPUS / "sentiment-train.tsv", tmp_path / "sentences.tsv")
    file = tmp_path / "recipe.toml"
    file.write_text(RECIPE.format(encoder=tiny_encoder))
    return file


def _trained(recipe: Path, name: str, *changes: str) -> Path:
    return manyheads.train(recipe, recipe.parent / name, changes=changes).folder.path


def test_runs_with_different_seeds_predict_the_same_rows(recipe: Path) -> None:
    runs = [_trained(recipe, f"run{seed}", f"seed={seed}") for seed in (1, 2)]
    (task,) = compare(runs).tasks
    assert task.examples == len((runs[0] / "predictions" / "sentiment.dev.last.jsonl").read_text().splitlines())


def test_the_shipped_model_is_measured_on_the_held_out_rows(recipe: Path) -> None:
    run = _trained(recipe, "run")
    recorded = json.loads((run / "results.json").read_text())["best"]["tasks"]["sentiment"]
    assert measure_run(run).scores["tasks"]["sentiment"] == pytest.approx(recorded)


def test_a_file_that_has_changed_is_not_split_again(recipe: Path) -> None:
    run = _trained(recipe, "run")
    file = recipe.parent / "sentences.tsv"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(DataError, match="not those of the run") as caught:
        measure_run(run)
    assert caught.value.where == f"{file}, task sentiment"
    assert caught.value.found == "the file has changed"


def test_a_run_with_other_held_out_rows_is_neither_measured_nor_resumed(recipe: Path) -> None:
    run = _trained(recipe, "run")
    provenance = json.loads((without_checksums(run) / "provenance.json").read_text())
    provenance["data"] = {"sentences.tsv": provenance["data"]["sentences.tsv"]}  # as written by version 0.3
    (run / "provenance.json").write_text(json.dumps(provenance))
    with pytest.raises(DataError, match="may have been trained on"):
        measure_run(run)
    now = {**provenance["data"], "sentiment: rows of sentences.tsv held out": "f" * 64}
    with pytest.raises(RunError, match="the data has changed since the run started") as caught:
        check_same(RunFolder(run), (run / "recipe.toml").read_text(), now)
    assert caught.value.where == "sentiment: rows of sentences.tsv held out"


def test_a_run_of_0_4_is_measured_on_the_rows_that_it_held_out(recipe: Path) -> None:
    run = _trained(recipe, "run")
    older = examples_held_out_in_0_4(load_recipe(run / "recipe.toml"), "sentiment")
    provenance = json.loads((without_checksums(run) / "provenance.json").read_text())
    key = "sentiment: rows of sentences.tsv held out"
    assert provenance["data"][key] != fingerprint(older)
    provenance["data"][key] = fingerprint(older)
    (run / "provenance.json").write_text(json.dumps(provenance))
    assert measure_run(run).examples == {"sentiment": len(older)}
