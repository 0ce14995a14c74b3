"""Run a study: missing and unfinished cells are run, finished and failed ones are kept."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.errors import RunError, argument, did_you_mean
from manyheads.recipe.members import plugins_for
from manyheads.run.folder import only_writer
from manyheads.studies.cells import Cell, Notify, State, cells_of, state_of
from manyheads.studies.local import run_local
from manyheads.studies.schema import StudyPlan
from manyheads.studies.worker import drop_weights
from manyheads.training.stop import StopFlag

Runner = Callable[[Sequence[Cell], Notify], int]
"""Runs cells and reports events. Returns 0 if every run ended, or the number of the signal that stopped them."""


@dataclass(frozen=True)
class Survey:
    """The cells of a study, or of some of its rows, with their states."""

    cells: tuple[Cell, ...]
    states: tuple[State, ...]

    @property
    def todo(self) -> tuple[Cell, ...]:
        """The cells to run. Unfinished ones come first, because they may have checkpoints."""
        unfinished = [cell for cell, state in zip(self.cells, self.states, strict=True) if state == "unfinished"]
        missing = [cell for cell, state in zip(self.cells, self.states, strict=True) if state == "missing"]
        return (*unfinished, *missing)


def survey(plan: StudyPlan, out: Path, *, only: Sequence[str] = (), retry_failed: bool = False) -> Survey:
    """Determine the state of each cell.

    Args:
        plan: the study.
        out: the folder of the study.
        only: the names of the rows to include, together with their twins and rows with the same recipe. Default: all.
        retry_failed: treat failed cells as unfinished.

    Raises:
        RunError: a row does not exist, or a folder contains a run of another recipe.
    """
    wanted = _rows(plan, only)
    cells = tuple(cell for cell in cells_of(plan, out) if cell.row in wanted)
    states: list[State] = []
    for cell in cells:
        state = state_of(cell)
        if state == "failed" and retry_failed:
            state = "unfinished"
        states.append(state)
    return Survey(cells, tuple(states))


def run_study(plan: StudyPlan, out: Path, runner: Runner, notify: Notify, survey: Survey) -> int:
    """Run the cells that a survey lists as unfinished or missing.

    Return 0 if every run ended, finished or failed, and otherwise the number of the signal that stopped the study.

    Raises:
        RunError: another process is running this study.
        PluginError: a member was registered by the program itself, which a process of a run cannot import.
    """
    plugins_for([cell.recipe for cell in survey.todo])
    with only_writer(out / ".lock", "another process is running this study", out):
        for cell, state in zip(survey.cells, survey.states, strict=True):
            if state == "done":
                drop_weights(cell, keep_models=plan.keep_models)
        return runner(survey.todo, notify)


def local_runner(plan: StudyPlan, jobs: int, devices: int, stop: StopFlag | None = None) -> Runner:
    """Return a runner that uses processes on this machine. `stop`: the flag that signals set."""

    def run(cells: Sequence[Cell], notify: Notify) -> int:
        return run_local(cells, jobs=jobs, notify=notify, keep_models=plan.keep_models, devices=devices, stop=stop)

    return run


def default_jobs(plan: StudyPlan, devices: int) -> int:
    """Return the default number of parallel runs: one per CUDA device, or cores divided by threads per run."""
    threads = max(row.recipe.threads or 1 for row in plan.rows)
    return devices or max(1, len(os.sched_getaffinity(0)) // threads)


def _rows(plan: StudyPlan, only: Sequence[str]) -> set[str]:
    names = [row.name for row in plan.rows]
    for name in only:
        if name not in names:
            hint = did_you_mean(name, names)
            where, allowed = argument("only"), ", ".join(names)
            raise RunError("the study has no such row", where=where, found=name, allowed=allowed, hint=hint)
    chosen = [row for row in plan.rows if not only or row.name in only or (row.twin_of or ("",))[0] in only]
    return {row.same_as or row.name for row in chosen}
