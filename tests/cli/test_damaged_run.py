"""A damaged file of a finished run is an error that names it, or changes nothing. No command ends with a traceback."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import ManyheadsError


def folder_instead(file: Path) -> None:
    file.unlink()
    file.mkdir()


def other_types(file: Path) -> None:
    """Replace every number and every table in a table by a text."""
    if file.suffix != ".json":
        file.write_text('{"event": "step", "losses": 3}\n{"event": "evaluation"}\n{"id": 1, "target": []}\n[]\n')
        return
    content = {
        key: "x" if isinstance(value, dict | int | float) else value
        for key, value in json.loads(file.read_bytes()).items()
    }
    file.write_text(json.dumps(content))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "emptied": lambda file: file.write_bytes(b""),
    "bytes": lambda file: file.write_bytes(b"\xff\xfe\x00{" * 5),
    "list": lambda file: file.write_text("[1]\n"),
    "types": other_types,
    "deep": lambda file: file.write_text("[" * 100_000),
    "removed": Path.unlink,
    "folder": folder_instead,
}

FILES = (
    *("recipe.toml", "provenance.json", "results.json", "results.csv", "events.jsonl"),
    *("predictions/sentiment.dev.best.jsonl", "predictions/similarity.dev.last.jsonl"),
)


@pytest.fixture(scope="module")
def run(trained: manyheads.Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("damaged") / "run"
    shutil.copytree(trained.folder.path, folder)
    return folder


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_no_damage_is_a_traceback(trained: manyheads.Run, run: Path, tiny_recipe: Path, name: str, damage: str) -> None:
    file = run / name
    DAMAGES[damage](file)
    commands: list[list[object]] = [
        ["report", run, "--format", "json"],
        ["compare", trained.folder.path, run],
        ["train", tiny_recipe, "--out", run, "--resume"],
    ]
    if damage == "removed" and name == "results.json":
        commands.pop()  # The run would be trained again.
    if name in ("recipe.toml", "provenance.json"):
        commands.append(["evaluate", run, "--json"])
    try:
        for words in commands:
            result = CliRunner().invoke(app, [str(word) for word in words])
            assert result.exception is None or isinstance(result.exception, ManyheadsError), result.exc_info
    finally:
        if file.is_dir():
            file.rmdir()
        shutil.rmtree(run / "report", ignore_errors=True)
        shutil.copy(trained.folder.path / name, file)
