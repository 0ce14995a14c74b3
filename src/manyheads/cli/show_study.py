"""Run a study and show its progress: the state of every cell and the remaining time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from manyheads.api.progress import RunsLeft
from manyheads.cli.terminal import make_console
from manyheads.pages.words import counted
from manyheads.studies.cells import read_error
from manyheads.studies.run import Runner, Survey
from manyheads.studies.schema import StudyPlan

SEEDS_SHOWN = 10
"""Maximum number of seeds with a column of their own. Other seeds are only counted."""


def study_and_show(
    file: Path,
    changes: list[str],
    out: Path,
    *,
    jobs: int | None,
    ray: str | None,
    only: Sequence[str],
    seeds: int | None,
    retry_failed: bool,
) -> None:
    """Run a study in the folder `out`, show its progress, and write its table."""
    console = make_console(soft_wrap=True)
    with console.status("starting"):
        from manyheads.api.planned import Study
        from manyheads.recipe.load import overrides
        from manyheads.studies.load import require_test_labels
        from manyheads.studies.run import run_study, survey

        own = Study.load(file, overrides(changes))
        plan = own.begin(out)
        chosen = replace(plan, seeds=plan.seeds[:seeds])
        chosen_cells = survey(chosen, out, only=only, retry_failed=retry_failed)
        if chosen_cells.todo:
            require_test_labels(plan)
        own.keep(out)
        runner, how = _runner(plan, jobs, ray)
    console.print(_opening(chosen, chosen_cells, how), markup=False, highlight=False)
    stopped_by = 0
    if chosen_cells.todo:
        with StudyDisplay(console, chosen_cells) as display:
            stopped_by = run_study(chosen, out, runner, display, chosen_cells)
    else:
        run_study(chosen, out, lambda _cells, _notify: 0, _ignore, chosen_cells)
    if stopped_by:
        console.print("Stopped. Finished runs are kept. Repeat the same command to resume.", markup=False)
        raise SystemExit(128 + stopped_by)
    from manyheads.cli.study import show_table
    from manyheads.studies.tabulate import write_table

    with console.status("computing the table"):
        result = write_table(chosen, out)
    show_table(console, result, out)
    failed = [cell for cell in chosen_cells.cells if cell.error_file.exists()]
    for cell in failed:
        first = read_error(cell.error_file)["error"].strip().splitlines()
        console.print(f"failed: {cell.row}, seed {cell.seed}: {first[0] if first else ''}", style="red", markup=False)
    if failed:
        console.print(
            "The complete errors are at the end of table.html. Use --retry-failed to run the failed cells again.",
            markup=False,
        )
        raise SystemExit(1)


def _runner(plan: StudyPlan, jobs: int | None, ray: str | None) -> tuple[Runner, str]:
    """Return what runs the cells, and a description of it."""
    import torch

    from manyheads.studies.run import default_jobs, local_runner
    from manyheads.training.stop import StopFlag

    stop = StopFlag(ends_process=True)

    threads = max(row.recipe.threads or 1 for row in plan.rows)
    each = f"{counted(threads, 'thread')} per run"
    if ray is not None:
        from manyheads.studies.cluster import run_on_ray

        def run(cells: Sequence[Any], notify: Any) -> int:
            return run_on_ray(cells, address=ray, notify=notify, keep_models=plan.keep_models, stop=stop)

        return run, f"on the Ray cluster {ray}, {each}"
    devices = torch.cuda.device_count() if any(row.recipe.device != "cpu" for row in plan.rows) else 0
    count = jobs or default_jobs(plan, devices)
    return local_runner(plan, count, devices, stop), f"{counted(count, 'parallel run')}, {each}"


def _opening(plan: StudyPlan, survey: Survey, how: str) -> str:
    states = list(survey.states)
    parts = [f"{states.count('done')} done"]
    parts += [f"{states.count('failed')} failed"] if "failed" in states else []
    names = {cell.row for cell in survey.cells}
    twins = sum(row.name in names and row.twin_of is not None for row in plan.rows)
    rows = counted(len(names) - twins, "row")
    if twins:
        rows = f"({rows} and {counted(twins, 'single-task twin')})"
    counts = f"{rows} x {counted(len(plan.seeds), 'seed')} = {counted(len(states), 'run')}"
    return f"{plan.title}: {counts}, {', '.join(parts)}, {len(survey.todo)} to run, {how}"


def _ignore(event: str, **fields: object) -> None:
    """Ignore the event."""


class StudyDisplay:
    """Shows the events of a study: as a live table on a terminal, otherwise one line per event."""

    def __init__(self, console: Console, survey: Survey) -> None:
        self._console = console
        self._rows = list(dict.fromkeys(cell.row for cell in survey.cells))
        self._seeds = list(dict.fromkeys(cell.seed for cell in survey.cells))
        self._state: dict[tuple[str, int], str] = {
            (cell.row, cell.seed): state for cell, state in zip(survey.cells, survey.states, strict=True)
        }
        self._average: dict[tuple[str, int], float | None] = {}
        self._left = RunsLeft(len(survey.todo))
        self._live = Live(self._view(), console=console, refresh_per_second=2, transient=True)

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._console.is_terminal:
            self._live.stop()

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event."""
        if event == "note":
            self._console.print(fields["text"], markup=False, highlight=False)
            return
        cell = (fields["row"], fields["seed"])
        self._note(event, cell, fields)
        if self._console.is_terminal:
            self._live.update(self._view())
        elif event in ("cell_start", "cell_done", "cell_failed"):
            self._line(event, cell, fields)

    def _note(self, event: str, cell: tuple[str, int], fields: Mapping[str, Any]) -> None:
        self._left.note(event, cell, fields)
        if event == "cell_start":
            self._state[cell] = "running"
        elif event in ("cell_done", "cell_failed"):
            self._state[cell] = event.removeprefix("cell_")
            self._average[cell] = fields.get("average")
        elif event == "cell_stopped":
            self._state[cell] = "unfinished"

    def _line(self, event: str, cell: tuple[str, int], fields: Mapping[str, Any]) -> None:
        name = f"{cell[0]}, seed {cell[1]}"
        if event == "cell_start":
            text = f"started: {name}"
        elif event == "cell_done":
            text = f"done: {name}, average {_number(fields['average'])}; {self._left}"
        else:
            text = f"failed: {name}: {fields['error'].strip().splitlines()[0]}"
        self._console.print(text, markup=False, highlight=False)

    def _view(self) -> Group:
        table = Table(box=None, pad_edge=False, header_style="bold")
        table.add_column("row", overflow="fold")
        for seed in self._seeds[:SEEDS_SHOWN]:
            table.add_column(f"seed {seed}", justify="right")
        for row in self._rows:
            table.add_row(row, *(self._cell((row, seed)) for seed in self._seeds[:SEEDS_SHOWN]))
        return Group(table, Text(str(self._left), style="dim"))

    def _cell(self, cell: tuple[str, int]) -> Text:
        state = self._state.get(cell)
        if state == "done":
            average = self._average.get(cell)
            return Text("done" if average is None else f"{average:.3f}", style="green")
        if state == "running":
            return Text(f"{100 * self._left.share(cell):.0f}%", style="cyan")
        if state == "failed":
            return Text("failed", style="red")
        return Text("unfinished" if state == "unfinished" else ".", style="dim")


def _number(average: float | None) -> str:
    return "undefined" if average is None else f"{average:.4f}"
