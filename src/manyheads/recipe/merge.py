"""Merge changes into a recipe. Tables are merged, values are replaced, and a changed `kind` replaces its table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any


def is_one_value(key: Sequence[str]) -> bool:
    """Return whether a table of a recipe is one value: the files of the columns of a task."""
    return len(key) == 3 and key[0] in ("tasks", "held_out_with") and key[2] in ("train", "dev", "test")


def merge(base: Mapping[str, Any], changes: Mapping[str, Any], at: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return `base` with `changes` applied. Neither argument is modified.

    If a table gets another `kind`, its other keys are removed, because they belong to the old kind. `at`: the key of
    the table in the recipe.
    """
    if "kind" in changes and "kind" in base and changes["kind"] != base["kind"]:
        return dict(changes)
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        if isinstance(old, Mapping) and isinstance(value, Mapping) and not is_one_value((*at, key)):
            merged[key] = merge(old, value, (*at, key))
        else:
            merged[key] = value
    return merged
