"""Load a recipe from a TOML file and overrides, and write it. Every error names the file and line, or the override."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from manyheads import plugins
from manyheads.errors import RecipeError, by_caller, did_you_mean
from manyheads.recipe.changes import apply_override, from_here, merge, parse_override
from manyheads.recipe.check_options import check_recipe
from manyheads.recipe.faults import from_validation, raise_faults
from manyheads.recipe.schema import Recipe
from manyheads.recipe.toml import TomlError, agreement, line_of, parse
from manyheads.run.names import user_path


def load_recipe(path: str | Path, changes: Sequence[str] = ()) -> Recipe:
    """Read a recipe file and apply overrides. `data_dir` of the result is an absolute path.

    Raises:
        RecipeError: The file cannot be read, or a key or value of the file or of an override is invalid.
    """
    file = Path(path)
    text, content = read_toml(file, "recipe")
    return changed_recipe(content, file.parent, lambda key: file_place(file, text, key), overrides(changes))


@dataclass(frozen=True)
class Change:
    """A change of one key: the parts of the key, the value, and the place of the change for messages.

    `merged`: whether a table as the value is merged into the table that is there. Otherwise it replaces that table.
    `text`: the change as on the command line, if it was written like that.
    """

    parts: tuple[str, ...]
    value: Any
    place: str
    merged: bool = False
    text: str | None = None

    def apply(self, content: Mapping[str, Any]) -> dict[str, Any]:
        """Return a table with the change."""
        if not self.merged or not isinstance(self.value, Mapping):
            return apply_override(content, list(self.parts), self.value)
        nested: Any = self.value
        for part in reversed(self.parts):
            nested = {part: nested}
        return merge(content, nested)


def overrides(changes: Sequence[str]) -> list[Change]:
    """Return overrides as they are on the command line, `KEY=VALUE`.

    Raises:
        RecipeError: One is not of this form.
    """
    found = []
    for change in changes:
        parts, value = parse_override(change)
        found.append(Change(tuple(parts), from_here(parts, value), f"--set {change}", text=change))
    return found


def changed_recipe(
    content: Mapping[str, Any], folder: Path, where: Callable[[Sequence[str]], str], changes: Sequence[Change]
) -> Recipe:
    """Build a recipe from a table of plain values and changes.

    Raises:
        RecipeError: A key or value is invalid.
    """
    return recipe_from(applied(content, changes), folder, placed(content, where, changes))


def applied(content: Mapping[str, Any], changes: Sequence[Change]) -> dict[str, Any]:
    """Return a table with changes, one after the other."""
    changed = dict(content)
    for change in changes:
        changed = change.apply(changed)
    return changed


def placed(
    content: Mapping[str, Any],
    where: Callable[[Sequence[str]], str],
    changes: Sequence[Change],
    spelled: Callable[[Sequence[str]], str] = ".".join,
) -> Callable[[Sequence[str]], str]:
    """Return the function that names the place of a key: the change that set it, otherwise `where`.

    `spelled`: how a key is written after the place of a change.
    """

    def place(key: Sequence[str]) -> str:
        change = _change_of(key, changes, content)
        return where(key) if change is None else f"{change.place}, key {spelled(key)}"

    return place


def recipe_from(content: Mapping[str, Any], folder: Path, where: Callable[[Sequence[str]], str]) -> Recipe:
    """Build a recipe from a table of plain values.

    Args:
        content: The table.
        folder: Relative paths are relative to this folder.
        where: Returns the place of a key for messages.

    Raises:
        RecipeError: A key or value is invalid.
        PluginError: The recipe needs a member that is not available.
    """
    plugins.load()
    if "members" in content:  # finding the place of a key takes longer than building the recipe
        plugins.require_members(content["members"], where(("members",)))
    try:
        recipe = Recipe.model_validate(dict(content))
    except ValidationError as error:
        raise_faults(from_validation(error), where)
        raise
    raise_faults(check_recipe(recipe), where)
    data_dir = (folder / user_path(recipe.data_dir)).absolute()
    return recipe.model_copy(update={"data_dir": str(data_dir), "encoder": _encoder(recipe.encoder, folder)})


def _encoder(name: str, folder: Path) -> str:
    """Return an encoder folder relative to the recipe as an absolute path, and any other name unchanged."""
    path = folder / user_path(name)
    return str(path.absolute()) if (path / "config.json").is_file() else name


def read_toml(file: Path, noun: str) -> tuple[str, dict[str, Any]]:
    """Return the text and the content of a TOML file. Messages call the file `noun` ("recipe" or "study").

    Raises:
        RecipeError: The file is missing, or it is not TOML.
    """
    text = _read(file, noun)
    try:
        return text, parse(text)
    except TomlError as error:
        raise RecipeError(f"the {noun} is not valid TOML", where=_toml_place(file, error), found=str(error)) from error


def _read(file: Path, noun: str) -> str:
    try:
        return file.read_text(encoding="utf-8")
    except FileNotFoundError:
        names = [each.name for each in file.parent.glob("*.toml")] if file.parent.is_dir() else []
        hint = did_you_mean(file.name, names) or (_init() if noun == "recipe" else None)
        raise RecipeError(f"the {noun} file does not exist", where=str(file), hint=hint) from None
    except IsADirectoryError:
        raise RecipeError(f"the {noun} is a folder, not a TOML file", where=str(file)) from None
    except UnicodeDecodeError as error:
        raise RecipeError(f"the {noun} is not encoded in UTF-8", where=str(file), found=str(error)) from error


def _change_of(key: Sequence[str], changes: Sequence[Change], original: Mapping[str, Any]) -> Change | None:
    """Return the change that set a key, or that created the table in which the key is missing. None if none did."""
    for change in {each.parts: each for each in changes}.values():
        shared = agreement(change.parts, key)
        at: Any = original
        for part in key[:shared]:
            at = at.get(part) if isinstance(at, Mapping) else None
        if shared and (shared == len(change.parts) or not isinstance(at, Mapping)):
            return change
    return None


def file_place(file: Path, text: str, key: Sequence[str]) -> str:
    """Return "file:line, key a.b"."""
    line = line_of(text, key)
    shown = ".".join(key)
    return f"{file}:{line}, key {shown}" if line else f"{file}, key {shown}"


def _toml_place(file: Path, error: TomlError) -> str:
    """Return "file:line, column n" of a TOML syntax error."""
    place = re.search(r"at line (\d+), column (\d+)", str(error))
    return f"{file}:{place[1]}, column {place[2]}" if place else str(file)


def recipe_to_toml(recipe: Recipe) -> str:
    """Return the whole recipe with its defaults. Keys without a value are omitted, because TOML has no null."""
    return tomli_w.dumps(without_none(recipe.model_dump()))


def without_none(value: Any) -> Any:
    """Return a value without the keys of tables that have none."""
    if isinstance(value, dict):
        return {key: without_none(each) for key, each in value.items() if each is not None}
    return value


def _init() -> str:
    return "write one with: " + by_caller("manyheads init FILE...", "manyheads.init(data, FILE)")
