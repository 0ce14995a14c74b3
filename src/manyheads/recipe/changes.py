"""Changes to a recipe: overrides on the command line (`--set training.epochs=3`), and partial recipes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.errors import RecipeError
from manyheads.recipe.toml import TomlError, key_parts, parse
from manyheads.run.names import user_path
from manyheads.tasks.kinds import KINDS

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
    return dotted_key(key, place), _value(value.strip())


def dotted_key(key: str, where: str) -> list[str]:
    """Return the parts of a dotted TOML key. `where`: its place for messages.

    Raises:
        RecipeError: It is not one.
    """
    try:
        return list(key_parts(key.strip()))
    except TomlError as error:
        raise RecipeError("the key of the override is not a dotted TOML key", where=where, allowed=FORM) from error


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
