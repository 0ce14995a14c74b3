"""From a TOML file and overrides to a Recipe, every mistake named with its place."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manyheads.errors import RecipeError, did_you_mean
from manyheads.recipe.check_options import check_recipe
from manyheads.recipe.faults import from_validation, raise_faults
from manyheads.recipe.locate import agreement, line_of
from manyheads.recipe.override import apply_override, from_here, parse_override
from manyheads.recipe.schema import Recipe

INIT = "write one with: manyheads init FILE..."


def load_recipe(path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe file, with overrides over it. Its `data_dir` comes back absolute.

    Raises:
        RecipeError: the file cannot be read, or a key or value of it or of an override is wrong.
    """
    file = Path(path)
    text, content = read_toml(file, "recipe")
    original = content
    overridden: dict[tuple[str, ...], str] = {}
    for change in changes:
        parts, value = parse_override(change)
        content = apply_override(content, parts, from_here(parts, value))
        overridden[tuple(parts)] = change

    def where(key: Sequence[str]) -> str:
        change = _override_of(key, overridden, original)
        return _place(file, text, key) if change is None else f"--set {change}, key {'.'.join(key)}"

    return recipe_from(content, file.parent, where)


def recipe_from(content: Mapping[str, Any], folder: Path, where: Callable[[Sequence[str]], str]) -> Recipe:
    """The recipe that a table of plain values is, its paths relative to `folder`; `where` names the place of a key.

    Raises:
        RecipeError: a key or value is wrong.
    """
    try:
        recipe = Recipe.model_validate(dict(content))
    except ValidationError as error:
        raise_faults(from_validation(error), where)
        raise
    raise_faults(check_recipe(recipe), where)
    data_dir = (folder / Path(recipe.data_dir).expanduser()).absolute()
    return recipe.model_copy(update={"data_dir": str(data_dir), "encoder": _encoder(recipe.encoder, folder)})


def _encoder(name: str, folder: Path) -> str:
    """A folder beside the recipe, as an absolute path; any other name as it is."""
    beside = folder / Path(name).expanduser()
    return str(beside.absolute()) if (beside / "config.json").is_file() else name


def read_toml(file: Path, noun: str) -> tuple[str, dict[str, Any]]:
    """A TOML file's text and content; `noun` ("recipe", "study") is what messages call it.

    Raises:
        RecipeError: there is no such file, or it is not TOML.
    """
    text = _read(file, noun)
    try:
        return text, tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise RecipeError(f"the {noun} is not TOML", where=_toml_place(file, error), found=str(error)) from error


def _read(file: Path, noun: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        beside = [each.name for each in file.parent.glob("*.toml")] if file.parent.is_dir() else []
        hint = did_you_mean(file.name, beside) or (INIT if noun == "recipe" else None)
        raise RecipeError(f"there is no such {noun}", where=str(file), hint=hint) from None
    except IsADirectoryError:
        raise RecipeError(f"a {noun} is a TOML file, this is a folder", where=str(file)) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"the {noun} is not UTF-8", where=str(file), found=str(error)) from error


def _override_of(
    key: Sequence[str], overridden: Mapping[tuple[str, ...], str], original: Mapping[str, Any]
) -> str | None:
    """The override that set a key, or made the table that it is missing from; None where the file has it."""
    for parts, change in overridden.items():
        shared = agreement(parts, key)
        at: Any = original
        for part in key[:shared]:
            at = at.get(part) if isinstance(at, Mapping) else None
        if shared and (shared == len(parts) or not isinstance(at, Mapping)):
            return change
    return None


def _place(file: Path, text: str, key: Sequence[str]) -> str:
    """`file:line, key a.b`."""
    line = line_of(text, key)
    shown = ".".join(key)
    return f"{file}:{line}, key {shown}" if line else f"{file}, key {shown}"


def _toml_place(file: Path, error: tomllib.TOMLDecodeError) -> str:
    found = re.search(r"at line (\d+), column (\d+)", str(error))
    return f"{file}:{found[1]}, column {found[2]}" if found else str(file)
