"""The README's recipe, commands and Python work as they stand."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

import manyheads
from manyheads.cli.main import app
from manyheads.recipe.load import load_recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


@pytest.fixture
def reviews(tmp_path: Path) -> Path:
    """The two files that the README's first recipe is about."""
    corpus = Path(manyheads.__file__).parent / "demo" / "corpus"
    for name, task in (("reviews", "sentiment"), ("questions", "paraphrase")):
        rows = [line.split("\t") for line in (corpus / f"{task}-train.tsv").read_text().splitlines()]
        columns = {"reviews": ["id", "text", "stars"], "questions": ["id", "question1", "question2", "same"]}[name]
        lines = [",".join(columns), *(",".join(f'"{cell}"' for cell in row) for row in rows[1:])]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_the_first_recipe_trains_and_the_python_answers(
    reviews: Path, tiny_encoder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (recipe,) = blocks("toml")
    assert len(tomllib.loads(recipe)["tasks"]) == 2
    assert len([line for line in recipe.splitlines() if line.strip()]) < 16
    (reviews / "first.toml").write_text(recipe)
    monkeypatch.chdir(reviews)
    manyheads.train("first.toml", changes=[f"encoder={tiny_encoder}", "training.max_steps=3", "threads=1"])
    (program,) = blocks("python")
    exec(compile(program, "README.md", "exec"), {})
    assert "Prediction(" in capsys.readouterr().out


def test_every_command_named_is_a_command() -> None:
    verbs = {command.callback.__name__ for command in app.registered_commands if command.callback}
    named = set(re.findall(r"^\s*manyheads (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE))
    assert named
    assert named <= verbs


def test_every_recipe_named_is_there_and_loads() -> None:
    named = set(re.findall(r"recipes/[\w/]+\.toml", README))
    assert named
    for name in named:
        assert load_recipe(ROOT / name).tasks


def test_the_map_names_every_folder_of_the_source() -> None:
    folders = {path.name for path in (ROOT / "src" / "manyheads").iterdir() if (path / "__init__.py").exists()}
    assert all(f"{folder}/" in README for folder in folders)
