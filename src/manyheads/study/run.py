"""Running a study: what is missing is run, what is done is kept, what failed stays failed until asked again."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.errors import RunError, did_you_mean
from manyheads.run.lock import only_writer
from manyheads.study.cells import Cell, Notify, State, cells_of, state_of
from manyheads.study.local import run_local
from manyheads.study.plan import StudyPlan
from manyheads.study.worker import tidy

Runner = Callable[[Sequence[Cell], Notify], bool]
"""Runs cells, tells what happens, and says whether all of them came to an end."""


@dataclass(frozen=True)
class Survey:
    """The cells of a study (or of some rows of it) and where each stands."""

    cells: tuple[Cell, ...]
    states: tuple[State, ...]

    @property
    def todo(self) -> tuple[Cell, ...]:
        """The cells that are to run: those begun first, for they have checkpoints."""
        begun = [cell for cell, state in zip(self.cells, self.states, strict=True) if state == "begun"]
        missing = [cell for cell, state in zip(self.cells, self.states, strict=True) if state == "missing"]
        return (*begun, *missing)


def survey(plan: StudyPlan, out: Path, *, only: Sequence[str] = (), retry_failed: bool = False) -> Survey:
    """Where each cell stands. `only`: rows to look at (a row's twins and the row that it is the same as included).

    Raises:
        RunError: no such row, or a folder holds a run of another recipe.
    """
    wanted = _rows(plan, only)
    cells = tuple(cell for cell in cells_of(plan, out) if cell.row in wanted)
    states: list[State] = []
    for cell in cells:
        state = state_of(cell)
        if state == "failed" and retry_failed:
            state = "begun"
        states.append(state)
    return Survey(cells, tuple(states))


def run_study(plan: StudyPlan, out: Path, runner: Runner, notify: Notify, found: Survey) -> bool:
    """Run what a survey found missing; True where everything came to an end.

    Raises:
        RunError: another process runs this study.
    """
    with only_writer(out / ".lock", "another process is running this study", out):
        for cell, state in zip(found.cells, found.states, strict=True):
            if state == "done":
                tidy(cell, keep_models=plan.keep_models)
        return runner(found.todo, notify)


def local_runner(plan: StudyPlan, jobs: int, devices: int) -> Runner:
    """A runner over processes of this machine."""

    def run(cells: Sequence[Cell], notify: Notify) -> bool:
        return run_local(cells, jobs=jobs, notify=notify, keep_models=plan.keep_models, devices=devices)

    return run


def default_jobs(plan: StudyPlan, devices: int) -> int:
    """Runs side by side where nobody says: one a CUDA device, else as many as the cores have threads for."""
    threads = max(row.recipe.threads or 1 for row in plan.rows)
    return devices or max(1, len(os.sched_getaffinity(0)) // threads)


def _rows(plan: StudyPlan, only: Sequence[str]) -> set[str]:
    names = [row.name for row in plan.rows]
    for name in only:
        if name not in names:
            hint = did_you_mean(name, names)
            raise RunError("the study has no such row", where="--only", found=name, allowed=", ".join(names), hint=hint)
    chosen = [row for row in plan.rows if not only or row.name in only or (row.twin_of or ("",))[0] in only]
    return {row.same_as or row.name for row in chosen}
