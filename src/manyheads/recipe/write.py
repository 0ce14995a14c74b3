"""Write a recipe as TOML: complete and in a fixed order, so that equal recipes give equal files."""

from __future__ import annotations

from typing import Any

import tomli_w

from manyheads.recipe.schema import Recipe


def recipe_to_toml(recipe: Recipe) -> str:
    """Return the whole recipe with its defaults. Keys without a value are omitted, because TOML has no null."""
    return tomli_w.dumps(_without_none(recipe.model_dump()))


def _without_none(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_none(each) for key, each in value.items() if each is not None}
    return value
