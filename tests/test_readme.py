"""The README is short, and the commands and recipes that it names exist."""

from __future__ import annotations

import re
from pathlib import Path

from manyheads.cli.main import app
from manyheads.recipe.load import load_recipe

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language."""
    return re.findall(rf"```{language}\n(.*?)```", README, flags=re.DOTALL)


def test_it_is_short() -> None:
    assert len(README.splitlines()) <= 120


def test_every_command_named_is_a_command() -> None:
    commands = {command.callback.__name__ for command in app.registered_commands if command.callback}
    named = set(re.findall(r"^\s*manyheads (\w+)", "\n".join(blocks("sh")), flags=re.MULTILINE))
    assert named
    assert named <= commands


def test_every_recipe_named_is_there_and_loads() -> None:
    named = set(re.findall(r"recipes/[\w/]+\.toml", README))
    assert named
    for name in named:
        assert load_recipe(ROOT / name).tasks
