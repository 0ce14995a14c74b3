"""Merge changes into a recipe. Tables are merged, values are replaced, and a changed `kind` replaces its table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merge(base: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return `base` with `changes` applied. Neither argument is modified.

    If a table gets another `kind`, its other keys are removed, because they belong to the old kind.
    """
    if "kind" in changes and "kind" in base and changes["kind"] != base["kind"]:
        return dict(changes)
    merged = dict(base)
    for key, value in changes.items():
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged
