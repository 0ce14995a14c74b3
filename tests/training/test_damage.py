"""Damage to an unfinished run is refused with its reason, or repaired. No run ends with other bytes in silence."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from manyheads.errors import ManyheadsError, RunError
from manyheads.recipe.assemble import train
from manyheads.recipe.load import load_recipe
from manyheads.run.evaluations import read_evaluations, write_evaluations
from manyheads.run.events import read_events

CHANGES = [
    "training.max_steps=6",
    "training.evaluate_every=2",
    "training.learning_rate=0.02",
    *(
        f"tasks.{task}.{key}"
        for task in ("sentiment", "paraphrase", "similarity")
        for key in ("train_rows=80", "dev_rows=24")
    ),
]


class StopError(Exception):
    """Ends a run as a kill does: nothing is written after it."""


def stopped_after(recipe: Path, out: Path, step: int) -> None:
    def listen(event: str, **fields: object) -> None:
        if event == "checkpoint" and fields["step"] == step:
            raise StopError

    with pytest.raises(StopError):
        train(load_recipe(recipe, CHANGES), out, listeners=[listen])


@pytest.fixture(scope="module")
def originals(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, the same run stopped after its best evaluation, and stopped after its last step."""
    folder = tmp_path_factory.mktemp("originals")
    results = train(load_recipe(tiny_recipe, CHANGES), folder / "whole").results
    assert results["best"]["step"] < results["last"]["step"], "the best weights are not those of the last checkpoint"
    stopped_after(tiny_recipe, folder / "early", 4)
    stopped_after(tiny_recipe, folder / "late", 6)
    return folder


@pytest.fixture
def runs(originals: Path, tmp_path: Path) -> Path:
    shutil.copytree(originals, tmp_path / "runs")
    return tmp_path / "runs"


def contents(out: Path) -> dict[str, bytes]:
    files = [file for name in ("model", "predictions") for file in sorted((out / name).rglob("*")) if file.is_file()]
    results = json.loads((out / "results.json").read_text())
    content = {str(file.relative_to(out)): file.read_bytes() for file in [*files, out / "results.csv"]}
    return {**content, "metrics": json.dumps([results["best"], results["last"]]).encode()}


def resumed(recipe: Path, out: Path) -> list[str]:
    notes: list[str] = []
    train(
        load_recipe(recipe, CHANGES),
        out,
        resume=True,
        listeners=[lambda event, **fields: notes.append(str(fields["text"])) if event == "note" else None],
    )
    return notes


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) * 2 // 3] ^= 4
    file.write_bytes(content)


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "flipped": flip,
    "truncated": lambda file: file.write_bytes(file.read_bytes()[: file.stat().st_size // 2]),
    "emptied": lambda file: file.write_bytes(b""),
    "list": lambda file: file.write_text("[1]"),
    "removed": Path.unlink,
    "folder": folder_instead,
}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["model.safetensors", "optimizer.safetensors", "progress.json"])
def test_a_damaged_checkpoint_is_refused(tiny_recipe: Path, runs: Path, name: str, damage: str) -> None:
    (checkpoint,) = (runs / "early" / "checkpoints").glob("step-*")
    DAMAGES[damage](checkpoint / name)
    with pytest.raises(RunError, match="the checkpoint cannot be read") as caught:
        resumed(tiny_recipe, runs / "early")
    assert caught.value.where == str(checkpoint)


@pytest.mark.parametrize("change", [{"checksums": {}}, {"checksum": "0"}, {"examples": 0}, {"checksums": None}])
def test_changed_checksums_or_progress_are_refused(tiny_recipe: Path, runs: Path, change: dict[str, object]) -> None:
    (checkpoint,) = (runs / "early" / "checkpoints").glob("step-*")
    progress = json.loads((checkpoint / "progress.json").read_text())
    (checkpoint / "progress.json").write_text(json.dumps({**progress, **change}))
    with pytest.raises(RunError, match="the checkpoint cannot be read"):
        resumed(tiny_recipe, runs / "early")


@pytest.mark.parametrize("damage", DAMAGES)
def test_damaged_best_weights_are_refused(tiny_recipe: Path, runs: Path, damage: str) -> None:
    (weights,) = (runs / "late" / "checkpoints").glob("best-*")
    DAMAGES[damage](weights)
    with pytest.raises(RunError, match="the best weights so far cannot be read") as caught:
        resumed(tiny_recipe, runs / "late")
    assert caught.value.where == str(weights)


def test_a_checkpoint_without_checksums_is_read_with_a_note(tiny_recipe: Path, runs: Path) -> None:
    """Version 0.4.0 wrote such checkpoints, whose progress has no checksums of predictions either."""
    (checkpoint,) = (runs / "early" / "checkpoints").glob("step-*")
    progress = json.loads((checkpoint / "progress.json").read_text())
    for key in ("checksum", "checksums", "predictions"):
        del progress[key]
    (checkpoint / "progress.json").write_text(json.dumps(progress))
    assert any("has no checksums" in note for note in resumed(tiny_recipe, runs / "early"))
    assert contents(runs / "early") == contents(runs / "whole")


WRITTEN_AGAIN = (
    "predictions/sentiment.dev.best.jsonl",
    "predictions/similarity.dev.last.jsonl",
    "predictions/similarity.test.best.jsonl",
    "results.csv",
)


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", WRITTEN_AGAIN)
def test_a_damaged_file_of_an_evaluation_is_written_again(
    tiny_recipe: Path, runs: Path, name: str, damage: str
) -> None:
    DAMAGES[damage](runs / "late" / name)
    try:
        resumed(tiny_recipe, runs / "late")
    except ManyheadsError:
        assert damage == "folder"
    else:
        assert contents(runs / "late") == contents(runs / "whole")


@pytest.mark.parametrize("damage", [*DAMAGES, "another task", "other values", "lost"])
@pytest.mark.parametrize("split", ["dev", "test"])
def test_a_damaged_file_of_all_evaluations_is_restored_or_named(
    tiny_recipe: Path, runs: Path, split: str, damage: str
) -> None:
    """The file has the evaluations at steps 2 and 4, and the run stopped after the last one."""
    name = f"predictions/similarity.{split}.all.npz"
    file = runs / "late" / name
    if damage == "another task":
        shutil.copy(runs / "late" / "predictions/sentiment.dev.all.npz", file)
    elif damage == "other values":
        found = read_evaluations(file)
        ids = found.ids if split == "dev" else found.ids[::-1]
        write_evaluations(file, replace(found, ids=ids, values=found.values[:, ::-1]))
    elif damage == "lost":
        file.unlink()
    else:
        DAMAGES[damage](file)
    try:
        notes = resumed(tiny_recipe, runs / "late")
    except ManyheadsError:
        assert damage == "folder"
        return
    whole, late = contents(runs / "whole"), contents(runs / "late")
    named = any(f"{name} was changed or is missing" in note for note in notes)
    assert named != (whole[name] == late[name])
    others = {other for other in whole if whole[other] != late[other]}
    assert others <= {name}


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["recipe.toml", "provenance.json"])
def test_a_damaged_recipe_or_provenance_is_refused(tiny_recipe: Path, runs: Path, name: str, damage: str) -> None:
    file = runs / "early" / name
    if damage == "flipped":
        text = file.read_text()
        file.write_text(
            text.replace("0.02", "0.03") if name == "recipe.toml" else text.replace('-dev.tsv": "', '-dev.tsv": "0')
        )
        assert file.read_text() != text
    else:
        DAMAGES[damage](file)
    for recipe in (tiny_recipe, file):
        with pytest.raises(ManyheadsError):
            train(load_recipe(recipe, CHANGES), runs / "early", resume=True)


def test_a_damaged_event_log_has_a_note(tiny_recipe: Path, runs: Path) -> None:
    log = runs / "early" / "events.jsonl"
    lines = log.read_text().splitlines(keepends=True)
    kept = [line for line in lines if '"step": 2,' not in line]
    log.write_text("".join([*kept[:3], "\x00\xff[\n", *kept[3:]]))
    assert any("lacks steps" in note for note in resumed(tiny_recipe, runs / "early"))
    assert contents(runs / "early") == contents(runs / "whole")


def test_an_event_log_that_is_a_folder_is_named(tiny_recipe: Path, runs: Path) -> None:
    folder_instead(runs / "early" / "events.jsonl")
    with pytest.raises(RunError, match="event log cannot be read"):
        resumed(tiny_recipe, runs / "early")
    with pytest.raises(RunError, match="event log cannot be read"):
        list(read_events(runs / "early" / "events.jsonl"))


def test_other_names_in_the_folder_of_checkpoints_are_ignored(tiny_recipe: Path, runs: Path) -> None:
    checkpoints = runs / "early" / "checkpoints"
    (checkpoints / "step-abc").mkdir()
    (checkpoints / "step-000000009x").write_text("")
    resumed(tiny_recipe, runs / "early")
    assert contents(runs / "early") == contents(runs / "whole")
