"""StudyPlan: the rows of a study, each with its complete recipe, and the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from manyheads.recipe.schema import Recipe


@dataclass(frozen=True)
class Row:
    """One row of the table.

    `recipe`: complete but for the seed, which each run sets. `same_as`: an earlier row that resolves to the same
    recipe, whose runs are this row's too. `twin_of`: (row, task) where this is that task of that row trained alone.
    `levels`: for each factor the name of its level here, "" where the row has no such key. `provenance`: a remark.
    """

    name: str
    recipe: Recipe
    same_as: str | None
    twin_of: tuple[str, str] | None
    levels: Mapping[str, str]
    provenance: str | None = None


@dataclass(frozen=True)
class StudyPlan:
    """A study, resolved. `metric`: "average", "course_score" or a task's name; `baseline`: a row's name."""

    file: Path
    title: str
    caption: str
    seeds: tuple[int, ...]
    baseline: str
    metric: str
    rows: tuple[Row, ...]
    factors: tuple[str, ...]
    keep_models: bool

    def row(self, name: str) -> Row:
        """The row of this name."""
        return next(row for row in self.rows if row.name == name)
