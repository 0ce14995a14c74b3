"""Factors: the named settings in which the rows of a study differ, and the level of each row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manyheads.studies.schema import FactorOptions

ABSENT = ""
"""The level of a row whose recipe lacks the key. For example, a single-task twin has no loss weights of other tasks."""


def levels_of(recipe: Mapping[str, Any], factors: Mapping[str, FactorOptions]) -> dict[str, str]:
    """Return the level of each factor in a recipe, which is given as plain values."""
    return {name: _level(recipe, factor) for name, factor in factors.items()}


def differing(recipes: Sequence[Mapping[str, Any]]) -> dict[str, FactorOptions]:
    """Return the default factors of a study: the keys in which recipes differ. Keys that vary together form one."""
    flat = [dict(_flat(recipe)) for recipe in recipes]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if len(_values(flat, key)) > 1]
    groups: dict[tuple[int, ...], list[str]] = {}
    for key in keys:
        seen: list[Any] = _values(flat, key)
        pattern = tuple(seen.index(each.get(key)) for each in flat)
        groups.setdefault(pattern, []).append(key)
    return {group[0]: FactorOptions(key=[group[0]]) for group in groups.values()}


def keys_of(recipe: Mapping[str, Any]) -> set[str]:
    """Return the dotted keys of a recipe, which is given as plain values."""
    return {key for key, _ in _flat(recipe)}


def _values(flat: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    values: list[Any] = []
    for each in flat:
        if each.get(key) not in values:
            values.append(each.get(key))
    return values


def _level(recipe: Mapping[str, Any], factor: FactorOptions) -> str:
    values = [_at(recipe, key) for key in factor.key]
    if any(value is _Missing for value in values):
        return ABSENT
    for name, value in factor.levels.items():
        if values == (value if len(values) > 1 else [value]) or _shown(values) == value:
            return name
    return _shown(values)


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(dict.fromkeys(show_value(value) for value in values))


class _Missing:
    """The value of a key whose table is absent."""


def _at(recipe: Any, dotted: str) -> Any:
    *path, last = dotted.split(".")
    for part in path:
        if not isinstance(recipe, Mapping) or part not in recipe:
            return _Missing
        recipe = recipe[part]
        if recipe is None:
            return None
    return recipe.get(last) if isinstance(recipe, Mapping) else _Missing


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def show_value(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
