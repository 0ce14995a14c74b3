"""Load a recipe from a TOML file and changes, and write it. Every error names the file and line, or the change.

Changes are overrides on the command line (`--set training.epochs=3`) and partial recipes. The members of menus that a
recipe uses decide which plug-ins are loaded and recorded.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tomli_w
from pydantic import ValidationError

from manyheads import plugins
from manyheads.data.reading import endings, files_of, format_for
from manyheads.data.reading.hub import PREFIX
from manyheads.data.reading.paths import find_files
from manyheads.errors import DataError, RecipeError, by_caller, did_you_mean
from manyheads.plugins import Used, handed_on, origins_of, records_of
from manyheads.recipe.check_options import check_recipe, from_validation, head_of, misspelt_tasks, raise_faults
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.recipe.toml import TomlError, agreement, key_parts, line_of, parse
from manyheads.run.names import user_path
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.metric_choice import MetricChoice

KEY = 'a key such as "training.epochs"'

FORM = "KEY=VALUE, such as training.epochs=3"


def parse_override(text: str, where: str | None = None) -> tuple[list[str], Any]:
    """Split an override into the parts of its key and its value.

    The value is parsed as TOML. If it is not TOML, it is a string. `where`: the place of the override for messages.
    Default: the option of the command line.

    Raises:
        RecipeError: There is no "=", or the key is not a dotted TOML key.
    """
    place = f"--set {text}" if where is None else where
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError("the override is not of the form KEY=VALUE", where=place, allowed=FORM)
    return dotted_key(key, place, FORM), _value(value.strip())


def dotted_key(key: str, where: str, allowed: str = KEY) -> list[str]:
    """Return the parts of a dotted TOML key. `where`, `allowed`: its place and its form for messages.

    Raises:
        RecipeError: It is not one.
    """
    try:
        return list(key_parts(key.strip()))
    except TomlError as error:
        written = key.replace('["', ".").replace('"]', "")
        hint = f'write "{written}"' if written != key else None
        raise RecipeError("the key is not a dotted TOML key", where=where, allowed=allowed, hint=hint) from error


def apply_override(recipe: Mapping[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    """Return the recipe with one value changed. Missing tables are created.

    Each override changes one value. Unlike in a row of a study, a changed `kind` does not replace its table.
    """
    key, *rest = parts
    changed = dict(recipe)
    if not rest:
        changed[key] = value
        return changed
    table = changed.get(key)
    if isinstance(table, str) and key in ("head", "metric"):
        table = {"kind": table}
    changed[key] = apply_override(table if isinstance(table, Mapping) else {}, rest, value)
    return changed


def from_here(parts: list[str], value: Any) -> Any:
    """Make the path of `data_dir` or of an encoder folder absolute. Return any other value unchanged.

    Paths on the command line are relative to the current folder, not to the folder of the recipe.
    """
    if not isinstance(value, str):
        return value
    path = user_path(value).absolute()
    if parts == ["data_dir"] or (parts == ["encoder"] and (path / "config.json").is_file()):
        return str(path)
    return value


def _value(text: str) -> Any:
    try:
        return parse(f"value = {text}")["value"]
    except TomlError:
        return text


def is_one_value(key: Sequence[str]) -> bool:
    """Return whether a table of a recipe is one value: the files of the columns of a task."""
    return len(key) == 3 and key[0] in ("tasks", "held_out_with") and key[2] in ("train", "dev", "test")


def merge(base: Mapping[str, Any], changes: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return `base` with `changes` applied. Neither argument is modified.

    If a table gets another `kind`, its other keys are removed, because they belong to the old kind. The table of a task
    keeps the keys that do not belong to its old kind alone, such as its files.

    `at`: the key of the table in the recipe.
    """
    merged = dict(base)
    if "kind" in changes and "kind" in base and changes["kind"] != base["kind"]:
        only_old = _keys_of_kind(base["kind"]) - _keys_of_kind(changes["kind"])
        is_task = len(at) == 2 and at[0] == "tasks"
        merged = {key: value for key, value in base.items() if key not in only_old} if is_task else {}
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not is_one_value((*at, key)):
            merged[key] = merge(old, value, (*at, key))
        else:
            merged[key] = value
    return merged


def _keys_of_kind(kind: object) -> set[str]:
    """Return the keys that a kind adds to the table of a task. An unknown kind has none."""
    return set(KINDS[kind].options.model_fields) if isinstance(kind, str) and kind in KINDS else set()


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
    invalid: ValidationError | None = None
    try:
        recipe = Recipe.model_validate(dict(content))
    except ValidationError as error:
        invalid = error
    if invalid is not None:
        # Raised here, so that a traceback has only this error and not that of pydantic before it.
        misspelt = list(misspelt_tasks(content))
        own = {fault.key for fault in misspelt}
        raise_faults([*misspelt, *(each for each in from_validation(invalid) if each.key[:2] not in own)], where)
        raise invalid
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
        opened = f"manyheads.open_study({str(file)!r}) is the study of a folder"
        hint = by_caller("", opened) if noun == "study" else ""
        if noun == "recipe" and (file / "recipe.toml").is_file():
            hint = f"name the recipe of the run: {file / 'recipe.toml'}"
        raise RecipeError(f"the {noun} is a folder, not a TOML file", where=str(file), hint=hint or None) from None
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


def used_by(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the members that a recipe uses: the menu and the name of each."""
    yield "batching", recipe.batching.strategy.kind
    yield "weighting", recipe.training.weighting.kind
    for options in (*recipe.tasks.values(), *(recipe.held_out_with or {}).values()):
        yield "kind", options.kind
        yield "head", head_of(options)
        if options.loss is not None:
            yield "loss", options.loss.kind
        for name in _formats(options, Path(recipe.data_dir)):
            yield "format", name
        for metric in (options.metric, *(options.metrics or ())):
            if metric is not None:
                yield "metric", MetricChoice.of(metric).kind


def _formats(options: TaskOptions, folder: Path) -> Iterator[str]:
    """Yield the formats of the files of a task, which the endings decide if the recipe names none."""
    if options.format is not None:
        yield options.format
        return
    for files in (options.train, options.dev, options.test):
        if isinstance(files, float | Mapping | None):  # a share of the rows, or a file of lines for each column
            continue
        for file in files_of(files):
            # A file that is missing or has another ending is an error where it is read.
            with suppress(DataError, OSError):
                for path in [] if file.startswith(PREFIX) else find_files(file, folder, endings()):
                    yield format_for(path, options.text_format).name


def members_of(recipe: Recipe) -> dict[str, dict[str, str]] | None:
    """Return the members of a recipe from outside the package with their plug-ins. None if there are none."""
    return origins_of(used_by(recipe)) or None


def plugin_records(recipe: Recipe) -> dict[str, dict[str, str]]:
    """Return what is recorded of the plug-ins of a recipe."""
    return records_of(origins_of(used_by(recipe)))


def plugins_for(recipes: Sequence[Recipe]) -> list[dict[str, str]]:
    """Return the plug-ins for a process that trains these recipes.

    Raises:
        PluginError: A member was registered by the program itself.
    """
    used: Used = {member for recipe in recipes for member in used_by(recipe)}
    return handed_on(used)
