"""The recipes of the repository."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.course_files import DATA

from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks, rejected_rows

ROOT = Path(__file__).parents[2]
RECIPES = sorted((ROOT / "recipes").rglob("*.toml"))


def _name(file: Path) -> str:
    return file.relative_to(ROOT / "recipes").as_posix()


@pytest.mark.parametrize("file", RECIPES, ids=_name)
def test_each_recipe_loads_and_its_first_comment_has_its_command(file: Path) -> None:
    load_recipe(file)
    opening = file.read_text().split("encoder =")[0]
    assert f"manyheads train recipes/{_name(file)}" in opening


@pytest.mark.skipif(not DATA.is_dir(), reason=f"requires the files of the course, which are not in {DATA}")
@pytest.mark.parametrize("name", ["minbert/sequential_b1.toml", "minbert/cross.toml", "minilm/cross.toml"])
def test_the_course_files_can_be_read_and_every_rejected_row_is_reported(name: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / name, [f"data_dir={DATA}"])
    data = read_tasks(recipe, lambda *_, **__: None)
    sizes = {each.task.name: (len(each.train), len(each.dev)) for each in data}
    assert sizes["sst"] == (8544, 1101)
    assert sizes["sts"] == (6040, 863)
    assert [row["task"] for row in rejected_rows(data)] == ["para", "para"]
