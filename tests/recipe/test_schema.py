from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from manyheads.options import Options
from manyheads.recipe.begin import check_same
from manyheads.recipe.load import recipe_to_toml
from manyheads.recipe.schema import Recipe
from manyheads.run.folder import RunFolder
from manyheads.studies.schema import StudyOptions

TASK = {"kind": "classification", "train": "a.csv", "dev": 0.1, "text": "text", "label": "label"}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models(argument)


def _fields(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str | None]]:
    for name, field in model.model_fields.items():
        yield prefix + name, field.description
        for inner in _models(field.annotation):
            yield from _fields(inner, f"{prefix}{name}.")


@pytest.mark.parametrize(("model", "known"), [(Recipe, "tasks.head.dropout"), (StudyOptions, "factors.levels")])
def test_every_key_has_a_description(model: type[Options], known: str) -> None:
    descriptions = dict(_fields(model))
    assert known in descriptions
    assert [key for key, text in descriptions.items() if not text or not text.endswith((".", "..."))] == []


def test_a_recipe_without_a_score_does_not_contain_the_key() -> None:
    content = {"encoder": "x", "tasks": {"a": TASK}}
    assert "score" not in recipe_to_toml(Recipe.model_validate(content))
    assert 'score = "course"' in recipe_to_toml(Recipe.model_validate({**content, "score": "course"}))


def test_a_run_folder_without_the_key_score_resumes(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    recipe = Recipe.model_validate({"encoder": "x", "tasks": {"a": TASK}})
    folder.recipe.write_text(recipe_to_toml(recipe))
    (tmp_path / "provenance.json").write_text('{"data": {}}')
    check_same(folder, recipe_to_toml(recipe), {})
    check_same(folder, recipe_to_toml(recipe.model_copy(update={"score": "course"})), {})
