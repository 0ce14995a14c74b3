"""A finished run that is resumed with another recipe, other data or another encoder is refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.conftest import CORPUS
from tests.older import without_checksums

import manyheads
from manyheads.errors import RunError
from manyheads.recipe.load import load_recipe

RECIPE = """
encoder = "encoder"
data_dir = "data"
[tasks.sentiment]
kind = "classification"
train = "sentiment-train.tsv"
dev = "sentiment-dev.tsv"
text = "sentence"
label = "sentiment"
[tasks.paraphrase]
kind = "classification"
train = "paraphrase-dev.tsv"
dev = 0.2
text = ["sentence1", "sentence2"]
label = "is_paraphrase"
[batching]
batch_size = 8
[training]
epochs = 1
max_steps = 2
[pretraining]
epochs = 1
max_length = 16
batch_size = 64
head_epochs = 1
files = ["more.txt"]
"""


@pytest.fixture(scope="module")
def original(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a recipe, its data, its encoder and its finished run."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(tiny_encoder, folder / "encoder")
    (folder / "data").mkdir()
    for name, rows in (("sentiment-train", 40), ("sentiment-dev", 30), ("paraphrase-dev", 60)):
        lines = (CORPUS / f"{name}.tsv").read_text().splitlines(keepends=True)[: rows + 1]
        (folder / "data" / f"{name}.tsv").write_text("".join(lines))
    (folder / "data" / "more.txt").write_text("more text for the encoder\nand one line more\n")
    (folder / "recipe.toml").write_text(RECIPE)
    manyheads.train(folder / "recipe.toml", folder / "run")
    return folder


@pytest.fixture
def place(original: Path) -> Path:
    """The same folder at the same path. Its content is restored before each test."""
    kept = original.with_name(f"{original.name}-kept")
    if not kept.exists():
        shutil.copytree(original, kept)
    shutil.rmtree(original)
    shutil.copytree(kept, original)
    return original


def resume(place: Path, *changes: str) -> list[str]:
    """Resume the finished run, and return its notes."""
    notes: list[str] = []

    def listen(event: str, **fields: object) -> None:
        assert event == "note"
        notes.append(str(fields["text"]))

    manyheads.train(place / "recipe.toml", place / "run", changes=changes, resume=True, listeners=[listen])
    assert "Nothing was trained" in notes.pop()
    return notes


def test_the_same_recipe_and_data_give_no_further_note(place: Path) -> None:
    assert resume(place) == []


@pytest.mark.parametrize(
    ("change", "key"),
    [
        ("training.max_steps=3", "training.max_steps: 2 before, 3 now"),
        ("training.learning_rate=0.1", "training.learning_rate"),
        ("tasks.sentiment.train_rows=10", "tasks.sentiment.train_rows: None before, 10 now"),
        ("tasks.paraphrase.dev=0.3", "tasks.paraphrase.dev: 0.2 before, 0.3 now"),
        ('tasks.sentiment.metric="macro_f1"', "tasks.sentiment.metric"),
        ("threads=3", "threads"),
        ("pretraining.epochs=0", "pretraining"),
    ],
)
def test_another_recipe_is_refused(place: Path, change: str, key: str) -> None:
    if change == "threads=3":
        threads = load_recipe(place / "run" / "recipe.toml").threads or 0
        change = f"threads={threads + 1}"
    with pytest.raises(RunError, match="finished run in this folder has another recipe") as caught:
        resume(place, change)
    assert key in str(caught.value.found)


@pytest.mark.parametrize("name", ["sentiment-train.tsv", "sentiment-dev.tsv", "paraphrase-dev.tsv", "more.txt"])
def test_other_data_is_refused(place: Path, name: str) -> None:
    with (place / "data" / name).open("a") as file:
        file.write((place / "data" / name).read_text().splitlines(keepends=True)[-1])
    with pytest.raises(RunError, match="the data has changed") as caught:
        resume(place)
    assert caught.value.where == name


def test_another_encoder_is_refused(place: Path) -> None:
    weights = place / "encoder" / "model.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(content)
    with pytest.raises(RunError, match="the weights of the encoder have changed"):
        resume(place)


def test_data_that_is_gone_is_accepted_with_notes(place: Path) -> None:
    shutil.rmtree(place / "data")
    shutil.rmtree(place / "encoder")
    notes = resume(place)
    for name in ("sentiment-train.tsv", "sentiment-dev.tsv", "paraphrase-dev.tsv", "more.txt", "the encoder"):
        assert any(note.startswith(f"{name} was not compared") for note in notes), (name, notes)


def test_one_changed_file_is_refused_although_another_is_gone(place: Path) -> None:
    (place / "data" / "sentiment-train.tsv").unlink()
    (place / "data" / "sentiment-dev.tsv").write_text("sentence\tsentiment\na\t1\n")
    with pytest.raises(RunError, match="the data has changed"):
        resume(place)


def test_a_changed_recipe_in_the_run_folder_is_refused(place: Path) -> None:
    own = place / "run" / "recipe.toml"
    own.write_text(own.read_text().replace("clip_norm = 1.0", "clip_norm = 1.5"))
    assert "1.5" in own.read_text()
    with pytest.raises(RunError, match="recipe in the run folder was changed"):
        manyheads.train(own, place / "run", resume=True)


def test_a_run_without_fingerprints_is_accepted_with_notes(place: Path) -> None:
    file = without_checksums(place / "run") / "provenance.json"
    content = json.loads(file.read_text())
    del content["data"], content["recipe"]
    file.write_text(json.dumps(content))
    assert len(resume(place)) == 4
