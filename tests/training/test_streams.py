"""Training on rows with several labels: one encoder pass, empty cells, processes, the device's stepper, resuming."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tests.training.test_distributed import ended, torchrun
from tests.training.test_resume import contents
from tests.training.test_update import assert_same_update

import manyheads
from manyheads.data.batch import Batch
from manyheads.data.dataset import assemble
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import RunError
from manyheads.model.weights import resolve
from manyheads.recipe.build import build_model, make_losses, make_optimizer, make_stepper, make_weighting
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import Prepared, read_tasks, tokenise_tasks
from manyheads.run.events import read_events
from manyheads.training.device import DeviceStepper, Picks, Resident
from manyheads.training.distributed import share
from manyheads.training.listener import Listener
from manyheads.training.step import TaskLosses

CPU = torch.device("cpu")
WORDS = ["the", "a", "of", "and", "good", "bad", "film", "story", "this", "that"]

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.mood]
kind = "classification"
train = "{train}"
dev = "dev.csv"
text = "text"
label = "mood"

[tasks.score]
kind = "regression"
train = "{other}"
dev = "dev.csv"
text = "text"
label = "score"
range = [0, 5]
loss_weight = 0.5

[batching]
batch_size = 8

[training]
epochs = 2
learning_rate = 1e-3
"""


def table(count: int, *, holes: bool) -> str:
    lines = ["text,mood,score"]
    for row in range(count):
        mood, score = f"m{row * row % 3}", str(row * 7 % 11 / 2)
        if holes and row % 4 == 1:
            mood = ""
        if holes and row % 4 == 2:
            score = ""
        lines.append(f"{WORDS[row % 10]} {WORDS[(row * 7) % 9]} {row},{mood},{score}")
    return "\n".join(lines) + "\n"


def write(folder: Path, encoder: Path, *, holes: bool, rows: int = 28) -> Path:
    (folder / "train.csv").write_text(table(rows, holes=holes))
    (folder / "copy.csv").write_text(table(rows, holes=holes))
    (folder / "dev.csv").write_text(table(10, holes=False))
    file = folder / "recipe.toml"
    file.write_text(RECIPE.format(encoder=encoder, train="train.csv", other="train.csv"))
    (folder / "apart.toml").write_text(RECIPE.format(encoder=encoder, train="train.csv", other="copy.csv"))
    return file


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(tmp_path_factory.mktemp("holes"), tiny_encoder, holes=True)


@pytest.fixture(scope="module")
def joint(recipe: Path) -> Path:
    return manyheads.train(recipe, recipe.parent / "joint").folder.path


class Setting:
    """The tokenised rows of the recipe and a new model without dropout."""

    def __init__(self, file: Path, *changes: str) -> None:
        self.recipe = load_recipe(file, ["device=cpu", "precision=float32", *changes])
        data = read_tasks(self.recipe, lambda *_, **__: None)
        source = resolve(self.recipe.encoder, Path.cwd())
        self.tokenizer = Tokenizer.load(source.folder)
        self.prepared: Prepared = tokenise_tasks(data, self.tokenizer)
        self.model = build_model(self.recipe, source, self.prepared.tasks)
        self.stream = next(iter(self.prepared.streams.values()))

    def batch(self, rows: list[int]) -> Batch:
        picks = [(self.stream, np.array(rows))]
        return assemble(self.prepared.store, self.tokenizer.template, 32, picks)


@pytest.fixture(scope="module")
def setting(recipe: Path) -> Setting:
    return Setting(recipe)


def steps_of(run: Path) -> list[dict[str, Any]]:
    return [event for event in read_events(run / "events.jsonl") if event["event"] == "step"]


def test_a_batch_has_each_row_once_and_every_label(setting: Setting) -> None:
    batch = setting.batch([0, 1, 2, 3])
    assert batch.sequences == batch.rows == 4
    assert (batch.label_counts, batch.examples) == ({"mood": 3, "score": 3}, 6)
    assert batch.row_counts == {"mood": 4, "score": 4}


def test_a_loss_is_the_mean_over_the_labels_that_are_there(setting: Setting) -> None:
    losses = TaskLosses(setting.model.eval(), make_losses(setting.recipe, setting.model), device=CPU)
    together = losses(setting.batch([0, 1, 2, 3]))
    assert together["mood"].item() == pytest.approx(losses(setting.batch([0, 2, 3]))["mood"].item(), rel=1e-5)
    assert together["score"].item() == pytest.approx(losses(setting.batch([0, 1, 3]))["score"].item(), rel=1e-5)
    assert losses(setting.batch([1])).keys() == {"score"}


def test_a_run_encodes_each_row_once_per_epoch(recipe: Path, joint: Path) -> None:
    apart = manyheads.train(recipe, recipe.parent / "separate", changes=["batching.streams=separate"]).folder.path
    (*_, last), (*_, other) = steps_of(joint), steps_of(apart)
    assert last["losses"].keys() == {"mood", "score"}
    assert last["examples"] == other["examples"] == 2 * 42
    assert last["tokens"] < 0.7 * other["tokens"]
    assert 'streams = "joint"' in (joint / "recipe.toml").read_text()


def test_separate_streams_train_as_tasks_with_files_of_their_own(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, holes=False)
    changes = ["training.max_steps=4"]
    one = manyheads.train(recipe, tmp_path / "one", changes=[*changes, "batching.streams=separate"]).folder.path
    two = manyheads.train(tmp_path / "apart.toml", tmp_path / "two", changes=changes).folder.path
    for name in ("heads", "model"):
        file = f"model/{name}.safetensors"
        assert (one / file).read_bytes() == (two / file).read_bytes()
    assert [step["losses"] for step in steps_of(one)] == [step["losses"] for step in steps_of(two)]


def stop_at(step: int) -> Listener:
    def listen(event: str, **fields: Any) -> None:
        if event == "step" and fields["step"] == step:
            raise RuntimeError("stop")

    return listen


def interrupted(recipe: Path, out: Path, *changes: str) -> None:
    with pytest.raises(RuntimeError, match="stop"):
        manyheads.train(recipe, out, changes=list(changes), listeners=[stop_at(3)])


def test_a_resumed_run_ends_with_the_same_bytes(recipe: Path, joint: Path, tmp_path: Path) -> None:
    interrupted(recipe, tmp_path / "run")
    manyheads.train(recipe, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(joint)


def without_key(run: Path) -> None:
    """Make the recipe of a run that of a version without the key `streams`."""
    file = run / "recipe.toml"
    text = "".join(line for line in file.read_text().splitlines(keepends=True) if not line.startswith("streams"))
    file.write_text(text)
    provenance = json.loads((run / "provenance.json").read_text())
    del provenance["recipe"]
    (run / "provenance.json").write_text(json.dumps(provenance))


def test_a_run_that_began_without_the_key_is_resumed_as_it_began(recipe: Path, tmp_path: Path) -> None:
    apart = ["batching.streams=separate"]
    manyheads.train(recipe, tmp_path / "whole", changes=apart)
    interrupted(recipe, tmp_path / "run", *apart)
    without_key(tmp_path / "run")
    with pytest.raises(RunError, match=r"batching\.streams: 'separate' before, 'joint' now"):
        manyheads.train(recipe, tmp_path / "run", changes=["batching.streams=joint"], resume=True)
    manyheads.train(recipe, tmp_path / "run", resume=True)
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


def test_the_key_does_not_matter_where_no_rows_are_shared(tiny_encoder: Path, tmp_path: Path) -> None:
    write(tmp_path, tiny_encoder, holes=False)
    interrupted(tmp_path / "apart.toml", tmp_path / "run", "training.max_steps=4")
    without_key(tmp_path / "run")
    changes = ["training.max_steps=4", "batching.streams=joint"]
    again = manyheads.train(tmp_path / "apart.toml", tmp_path / "run", changes=changes, resume=True)
    assert again.results["steps"] == 4


def test_a_row_has_one_process_for_all_its_labels(setting: Setting) -> None:
    batch = setting.batch(list(range(7)))
    shares = [share(batch, process, 2) for process in range(2)]
    rows = [[part.examples.tolist() for part in each.parts] for each in shares]
    assert all(one == other for one, other in rows)
    assert sorted(rows[0][0] + rows[1][0]) == list(range(7))
    assert sum(each.tokens for each in shares) == batch.tokens


@pytest.mark.usefixtures("forked_commands")
def test_processes_make_the_same_update(tiny_encoder: Path, tmp_path: Path) -> None:
    """The last batch has one row, which one process trains on."""
    recipe = write(tmp_path, tiny_encoder, holes=True, rows=9)
    changes = ["training.epochs=1", "training.accumulation=2", "model.dropout=0.1"]
    alone = manyheads.train(recipe, tmp_path / "alone", changes=changes).folder.path
    output = ended(process := torchrun(2, recipe, tmp_path / "two", *changes))
    assert process.returncode == 0, output
    assert_same_update(alone, tmp_path / "two")


def test_an_update_does_not_depend_on_its_batches(tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write(tmp_path, tiny_encoder, holes=True, rows=9)
    runs = []
    for size, accumulation in ((9, 1), (2, 5), (1, 9)):
        changes = ["training.epochs=1", f"training.accumulation={accumulation}", f"batching.batch_size={size}"]
        runs.append(manyheads.train(recipe, tmp_path / f"size{size}", changes=changes).folder.path)
    for run in runs[1:]:
        assert_same_update(runs[0], run)


def test_the_steps_of_a_device_agree_with_the_plain_steps(recipe: Path) -> None:
    setting = Setting(recipe, "model.dropout=0.1")
    plain_model, model = copy.deepcopy(setting.model), copy.deepcopy(setting.model)
    plain = make_stepper(setting.recipe, plain_model, make_optimizer(setting.recipe, plain_model))
    stream = setting.stream
    device = DeviceStepper(
        model,
        Resident.of(
            setting.prepared.store, setting.tokenizer.template, {stream.name: stream}, max_length=32, device=CPU
        ),
        make_optimizer(setting.recipe, model),
        make_losses(setting.recipe, model),
        make_weighting(setting.recipe, model),
        size=8,
        seed=setting.recipe.seed,
        clip_norm=setting.recipe.training.clip_norm,
        precision="float32",
    )
    for step, rows in enumerate(([0, 1, 2, 3, 4, 5, 6, 7], [8, 9, 10], [1, 5, 9], [11, 12, 13])):
        batch = setting.batch(rows)
        expected = plain.update(step, [batch])
        actual = device.update(step, [Picks(stream.name, np.array(rows), batch.tokens, batch.label_counts)])
        assert actual.losses == pytest.approx(expected.losses, rel=1e-4)
        assert actual.gradient_norm == pytest.approx(expected.gradient_norm, rel=1e-3)
        assert (actual.examples, actual.tokens) == (expected.examples, expected.tokens)
