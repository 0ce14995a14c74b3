"""StudyPlan: the rows of a study, each with its complete recipe, and the seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manyheads.evaluation.looks import Spending
from manyheads.recipe.schema import Recipe
from manyheads.studies.selection import Select


@dataclass(frozen=True)
class Row:
    """One row of the table.

    `recipe`: complete except for the seed, which each run sets. `same_as`: an earlier row with the same recipe; both
    rows share its runs. `twin_of`: (row, task) if this row is a single-task twin, which trains one task of a row alone.
    `levels`: the level of each factor, "" if the recipe of the row lacks the key. `provenance`: a remark for the table.
    """

    name: str
    recipe: Recipe
    same_as: str | None
    twin_of: tuple[str, str] | None
    levels: Mapping[str, str]
    provenance: str | None = None


@dataclass(frozen=True)
class StudyPlan:
    """A resolved study.

    `metric`: "average", "course_score" or the name of a task. `baseline`: the name of a row. `overrides`: the overrides
    ("training.epochs=1") with which the study was loaded. `select`: the key of the study file, None by default.
    `looks`: the planned looks, as numbers of seeds, empty without a plan. `spending`: how the error is spent over them.
    `listed`: all seeds of the study file. `seeds` may be a part of them.
    `primary`: the primary family of tests, "baseline", "twins"
    or "effects". `margins`: differences that do not matter, by metric: that of the study, or tasks.
    """

    file: Path
    title: str
    caption: str
    seeds: tuple[int, ...]
    baseline: str
    metric: str
    rows: tuple[Row, ...]
    factors: tuple[str, ...]
    keep_models: bool
    overrides: tuple[str, ...] = ()
    select: Select | None = None
    looks: tuple[int, ...] = ()
    spending: Spending = "obrien-fleming"
    listed: tuple[int, ...] = ()
    primary: str = "baseline"
    margins: Mapping[str, float] = field(default_factory=dict)

    def row(self, name: str) -> Row:
        """Return the row with this name."""
        return next(row for row in self.rows if row.name == name)
