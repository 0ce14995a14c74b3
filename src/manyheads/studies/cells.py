"""Cells of a study: the run of one row with one seed, its folder and its state."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from manyheads.errors import RunError, argument, by_caller
from manyheads.recipe.begin import differences
from manyheads.recipe.load import load_recipe
from manyheads.recipe.schema import Recipe
from manyheads.run.folder import RunFolder
from manyheads.studies.schema import StudyPlan

STUDY_FILE = "study.json"
"""The file in the folder of a study that has the study itself."""

Notify = Callable[..., None]
State = Literal["done", "failed", "unfinished", "missing"]


@dataclass(frozen=True)
class Cell:
    """One run of a study: its row, its seed, its complete recipe and its folder."""

    row: str
    seed: int
    recipe: Recipe
    folder: Path

    @property
    def error_file(self) -> Path:
        """The file with the error of a failed run, next to its folder."""
        return self.folder.with_name(f"{self.folder.name}.error.json")


def cell_folder(out: Path, row: str, seed: int) -> Path:
    """Return `OUT/<row>/<seed>`, an ordinary run folder."""
    return out / row / str(seed)


def error_file(out: Path, row: str, seed: int) -> Path:
    """Return `OUT/<row>/<seed>.error.json`, the file with the error of a failed run."""
    return out / row / f"{seed}.error.json"


def cells_of(plan: StudyPlan, out: Path) -> Iterator[Cell]:
    """Yield the runs of a study, ordered by seed, so that the first seeds of an unfinished study are complete."""
    for seed in plan.seeds:
        for row in plan.rows:
            if row.same_as is None:
                recipe = row.recipe.model_copy(update={"seed": seed})
                yield Cell(row.name, seed, recipe, cell_folder(out, row.name, seed))


def state_of(cell: Cell) -> State:
    """Return the state of a cell, which only its files decide.

    Raises:
        RunError: the folder contains a run of another recipe.
    """
    folder = RunFolder(cell.folder)
    if folder.recipe.exists():
        _check_recipe(cell, folder)
    if folder.finished:
        return "done"
    if cell.error_file.exists():
        return "failed"
    return "unfinished" if folder.recipe.exists() else "missing"


def read_error(path: Path) -> dict[str, str]:
    """Read an error file: `error` is the message, `kind` the class of the error.

    Raises:
        RunError: the file is damaged.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return {key: str(content[key]) for key in ("error", "kind")}
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        again = by_caller("`manyheads study`", "`manyheads.study`")
        hint = f"remove the file; {again} then trains the run again"
        raise RunError("the file with the error of a run is damaged", where=str(path), hint=hint) from error


def _check_recipe(cell: Cell, folder: RunFolder) -> None:
    """Check that the recipe of a run is the recipe of its cell, apart from values that the cell does not set.

    `data_dir` may differ. The table compares the fingerprints of the files, and a resumed run compares them as well.
    """
    ran = load_recipe(folder.recipe)
    planned = cell.recipe.model_copy(update={"data_dir": ran.data_dir})
    changed = list(differences(planned.model_dump(), ran.model_dump()))
    if changed:
        raise RunError(
            "the run in this folder has another recipe than the study",
            where=str(cell.folder),
            found="; ".join(changed[:5]),
            hint=f"choose another folder with {argument('out')} for the changed study, or remove this folder",
        )
