"""Cells: one row with one seed is one run. Where it lies, and whether it is done, failed or missing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from manyheads.errors import RunError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.same import REPORT_ONLY
from manyheads.recipe.schema import Recipe
from manyheads.run.folder import RunFolder
from manyheads.study.plan import StudyPlan

Notify = Callable[..., None]
State = Literal["done", "failed", "begun", "missing"]


@dataclass(frozen=True)
class Cell:
    """One run of a study: its row, its seed, its complete recipe and its folder."""

    row: str
    seed: int
    recipe: Recipe
    folder: Path

    @property
    def error_file(self) -> Path:
        """Where the error of a failed run is kept: beside its folder."""
        return self.folder.with_name(f"{self.folder.name}.error.json")


def cell_folder(out: Path, row: str, seed: int) -> Path:
    """`OUT/<row>/<seed>`, an ordinary run folder."""
    return out / row / str(seed)


def error_file(out: Path, row: str, seed: int) -> Path:
    """`OUT/<row>/<seed>.error.json`: what stopped a run that failed."""
    return out / row / f"{seed}.error.json"


def cells_of(plan: StudyPlan, out: Path) -> Iterator[Cell]:
    """The runs that a study needs, seed by seed, so that an unfinished study has whole columns."""
    for seed in plan.seeds:
        for row in plan.rows:
            if row.same_as is None:
                recipe = row.recipe.model_copy(update={"seed": seed})
                yield Cell(row.name, seed, recipe, cell_folder(out, row.name, seed))


def state_of(cell: Cell) -> State:
    """Where a cell stands, by its files alone.

    Raises:
        RunError: its folder holds a run of another recipe.
    """
    folder = RunFolder(cell.folder)
    if folder.recipe.exists():
        _check_recipe(cell, folder)
    if folder.finished:
        return "done"
    if cell.error_file.exists():
        return "failed"
    return "begun" if folder.recipe.exists() else "missing"


def read_error(path: Path) -> dict[str, str]:
    """The content of an error file: `error`, the message, and `kind`, the class of the error."""
    content: dict[str, str] = json.loads(path.read_text(encoding="utf-8"))
    return content


def _check_recipe(cell: Cell, folder: RunFolder) -> None:
    """A run's own recipe is the cell's, with what was left open settled."""
    ran = load_recipe(folder.recipe).model_dump()
    changed = list(differences(cell.recipe.model_dump(), ran))
    if changed:
        hint = "give the changed study another --out, or remove this folder"
        raise RunError(
            "the run in this folder is of another recipe than the study's",
            where=str(cell.folder),
            found="; ".join(changed[:5]),
            hint=hint,
        )


def differences(planned: Mapping[str, Any], ran: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Where a run's recipe is not the planned one; what the plan leaves open may be anything."""
    for key, value in planned.items():
        other = ran.get(key)
        if not prefix and key in REPORT_ONLY:
            continue
        if isinstance(value, Mapping) and isinstance(other, Mapping):
            yield from differences(value, other, f"{prefix}{key}.")
        elif value not in (None, "auto", other):
            yield f"{prefix}{key}: {other!r} there, {value!r} in the study"
