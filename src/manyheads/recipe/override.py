"""Overrides of recipe values on the command line: `--set tasks.sst.loss_weight=0.2`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from manyheads.errors import RecipeError
from manyheads.recipe.toml import TomlError, parse
from manyheads.run.names import user_path

FORM = "KEY=VALUE, such as training.epochs=3"


def parse_override(text: str) -> tuple[list[str], Any]:
    """Split an override into the parts of its key and its value.

    The value is parsed as TOML. If it is not TOML, it is a string.

    Raises:
        RecipeError: There is no "=", or the key is not a dotted TOML key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError("the override is not of the form KEY=VALUE", where=f"--set {text}", allowed=FORM)
    try:
        nested = parse(f"{key.strip()} = 0")
    except TomlError as error:
        raise RecipeError(
            "the key of the override is not a dotted TOML key", where=f"--set {text}", allowed=FORM
        ) from error
    parts: list[str] = []
    at: Any = nested
    while isinstance(at, dict):
        ((part, at),) = at.items()
        parts.append(part)
    return parts, _value(value.strip())


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
