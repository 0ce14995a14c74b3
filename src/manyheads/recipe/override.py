"""Overrides from the command line: `--set tasks.sst.loss_weight=0.2`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import RecipeError

FORM = "KEY=VALUE, such as training.epochs=3"


def parse_override(text: str) -> tuple[list[str], Any]:
    """The key's parts and the value: TOML where it parses as TOML, else the text itself.

    Raises:
        RecipeError: there is no "=", or the key is not a dotted TOML key.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.strip():
        raise RecipeError("an override has another form", where=f"--set {text}", allowed=FORM)
    try:
        nested = tomllib.loads(f"{key.strip()} = 0")
    except tomllib.TOMLDecodeError as error:
        raise RecipeError("the key of an override is not a dotted key", where=f"--set {text}", allowed=FORM) from error
    parts: list[str] = []
    at: Any = nested
    while isinstance(at, dict):
        ((part, at),) = at.items()
        parts.append(part)
    return parts, _value(value.strip())


def apply_override(recipe: Mapping[str, Any], parts: list[str], value: Any) -> dict[str, Any]:
    """The recipe with one value set; tables on the way are made where they are missing.

    Unlike in a study's row, a changed `kind` keeps its table: each override is one value.
    """
    key, *rest = parts
    changed = dict(recipe)
    if not rest:
        changed[key] = value
        return changed
    below = changed.get(key)
    if isinstance(below, str) and key == "head":
        below = {"kind": below}
    changed[key] = apply_override(below if isinstance(below, Mapping) else {}, rest, value)
    return changed


def from_here(parts: list[str], value: Any) -> Any:
    """A path given on the command line is relative to the current folder, not to the recipe's: data_dir, encoder."""
    if not isinstance(value, str):
        return value
    path = Path(value).expanduser().absolute()
    if parts == ["data_dir"] or (parts == ["encoder"] and (path / "config.json").is_file()):
        return str(path)
    return value


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        return text
