"""Factors: what the rows of a study differ in, by name, and the level that each row has."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manyheads.study.schema import FactorOptions

ABSENT = ""
"""The level of a row whose recipe lacks the key: a single-task twin has no loss weight of the other tasks."""


def levels_of(recipe: Mapping[str, Any], factors: Mapping[str, FactorOptions]) -> dict[str, str]:
    """The name of each factor's level in a recipe (its plain values)."""
    return {name: _level(recipe, factor) for name, factor in factors.items()}


def differing(recipes: Sequence[Mapping[str, Any]]) -> dict[str, FactorOptions]:
    """The factors of a study that names none: the keys in which recipes differ; keys that vary as one are one."""
    flat = [dict(_flat(recipe)) for recipe in recipes]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if len(_values(flat, key)) > 1]
    groups: dict[tuple[int, ...], list[str]] = {}
    for key in keys:
        seen: list[Any] = _values(flat, key)
        pattern = tuple(seen.index(each.get(key)) for each in flat)
        groups.setdefault(pattern, []).append(key)
    return {group[0]: FactorOptions(key=[group[0]]) for group in groups.values()}


def keys_of(recipe: Mapping[str, Any]) -> set[str]:
    """The dotted keys of a recipe's plain values."""
    return {key for key, _ in _flat(recipe)}


def _values(flat: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    found: list[Any] = []
    for each in flat:
        if each.get(key) not in found:
            found.append(each.get(key))
    return found


def _level(recipe: Mapping[str, Any], factor: FactorOptions) -> str:
    values = [_at(recipe, key) for key in factor.key]
    if any(value is _Missing for value in values):
        return ABSENT
    for name, meant in factor.levels.items():
        if values == (meant if len(values) > 1 else [meant]) or _shown(values) == meant:
            return name
    return _shown(values)


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(dict.fromkeys(show_value(value) for value in values))


class _Missing:
    """The mark of a key whose table is not there."""


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
    """A value as a table shows it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)
