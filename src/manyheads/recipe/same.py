"""Whether a run that goes on is the run that began: the same recipe, the same data."""

from __future__ import annotations

import tomllib
from collections.abc import Container
from typing import Any

from manyheads.errors import RunError
from manyheads.run.folder import RunFolder

REPORT_ONLY = frozenset({"score"})
"""Keys of a recipe that decide what is reported about a run and not what it computes. They may differ."""


def check_same(folder: RunFolder, recipe: str, fingerprints: dict[str, str], *, but: Container[str] = ()) -> None:
    """Check that a run goes on with the recipe and the data that it began with.

    `but`: keys whose values may differ.

    Raises:
        RunError: a value of the recipe, a data file, or the draw of the rows held out, is another one now.
    """
    before = _flat(tomllib.loads(folder.recipe.read_text(encoding="utf-8")))
    now = _flat(tomllib.loads(recipe))
    keys = {key for key in before.keys() | now.keys() if key not in but} - REPORT_ONLY
    changed = sorted(key for key in keys if before.get(key) != now.get(key))
    if changed:
        found = ", ".join(f"{key}: {before.get(key)!r} then, {now.get(key)!r} now" for key in changed[:5])
        hint = f"go on with {folder.recipe}, or begin a new run with another --out"
        raise RunError(
            "the recipe is not the one that this run began with", where=str(folder.path), found=found, hint=hint
        )
    data = folder.read_provenance()["data"]
    different = sorted(name for name in data.keys() | fingerprints.keys() if data.get(name) != fingerprints.get(name))
    if different:
        raise RunError(
            "the data are not those that this run began with",
            where=different[0],
            hint="begin a new run with another --out",
        )


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = value
    return found
