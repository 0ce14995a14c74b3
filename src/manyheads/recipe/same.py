"""Check that a resumed run has the recipe and the data that it started with."""

from __future__ import annotations

import shlex
import tomllib
from collections.abc import Container
from typing import Any

from manyheads.errors import RunError
from manyheads.run.folder import RunFolder

REPORT_ONLY = frozenset({"score"})
"""Keys of a recipe that decide what is reported about a run and not what it computes. They may differ."""


def check_same(folder: RunFolder, recipe: str, fingerprints: dict[str, str], *, ignored: Container[str] = ()) -> None:
    """Check that the recipe and the data of a resumed run are those that it started with.

    Args:
        folder: The run folder.
        recipe: The resolved recipe as TOML.
        fingerprints: The fingerprints of the data files and of the held-out rows.
        ignored: Keys of the recipe whose values may differ.

    Raises:
        RunError: A value of the recipe, a data file, or the choice of the held-out rows has changed.
    """
    before = _flat(tomllib.loads(folder.recipe.read_text(encoding="utf-8")))
    now = _flat(tomllib.loads(recipe))
    keys = {key for key in before.keys() | now.keys() if key not in ignored} - REPORT_ONLY
    changed = sorted(key for key in keys if before.get(key) != now.get(key))
    if changed:
        values = ", ".join(f"{key}: {before.get(key)!r} before, {now.get(key)!r} now" for key in changed[:5])
        words = ["manyheads", "train", str(folder.recipe), "--out", str(folder.path), "--resume"]
        hint = "start a new run in another folder with --out, or resume with the recipe of the run"
        raise RunError(
            "the recipe has changed since the run started",
            where=str(folder.path),
            found=values,
            hint=f"{hint}: {shlex.join(words)}",
        )
    data = folder.read_provenance()["data"]
    different = sorted(name for name in data.keys() | fingerprints.keys() if data.get(name) != fingerprints.get(name))
    if different:
        raise RunError(
            "the data has changed since the run started",
            where=different[0],
            hint="start a new run in another folder with --out",
        )


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the values of nested tables by their dotted keys."""
    flat = {}
    for key, value in table.items():
        if isinstance(value, dict):
            flat.update(_flat(value, f"{prefix}{key}."))
        else:
            flat[prefix + key] = value
    return flat
