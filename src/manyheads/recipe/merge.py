"""Changes to a recipe: tables merge, values replace, and a changed `kind` replaces its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `changes` over it; neither is altered.

    Where a change names another `kind`, the rest of that table belongs to the old one and goes.
    """
    if "kind" in changes and "kind" in base and changes["kind"] != base["kind"]:
        return dict(changes)
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
