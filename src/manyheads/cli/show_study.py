"""Run a study and show its progress: the state of every cell and the remaining time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from manyheads.api.progress import RunsLeft
from manyheads.cli.terminal import make_console

SEEDS_SHOWN = 10
"""Maximum number of seeds with a column of their own. Other seeds are only counted."""


def study_and_show(
    file: Path,
    changes: Sequence[str],
    out: Path | None,
    *,
    jobs: int | None,
    ray: str | None,
    only: Sequence[str],
    seeds: int | None,
    retry_failed: bool,
) -> None:
    """Run a study, show its progress, and show its table."""
    console = make_console(soft_wrap=True)
    stopped: Interrupted | None = None
    with StudyDisplay(console) as display:
        import manyheads as mh
        from manyheads.recipe.load import overrides
        from manyheads.training.stop import Interrupted, StopFlag

        try:
            table = mh.study(
                file,
                out,
                jobs=jobs,
                ray=ray,
                only=only,
                seeds=seeds,
                retry_failed=retry_failed,
                changes=overrides(changes),
                notify=display,
                stop=StopFlag(ends_process=True),
                progress=False,
            )
        except Interrupted as error:
            stopped = error
    if stopped is not None:
        console.print("Stopped. Finished runs are kept. Repeat the same command to resume.", markup=False)
        raise SystemExit(128 + stopped.signal_number)
    from manyheads.cli.study import show_table

    show_table(console, table)
    failed = [each for each in table.failures if display.has(each.row, each.seed)]
    for each in failed:
        first = each.message.strip().splitlines()
        console.print(f"failed: {each.row}, seed {each.seed}: {first[0] if first else ''}", style="red", markup=False)
    if failed:
        console.print(
            "The complete errors are at the end of table.html. Use --retry-failed to run the failed cells again.",
            markup=False,
        )
        raise SystemExit(1)


class StudyDisplay:
    """Shows the events of a study: as a live table on a terminal, otherwise one line per event."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._state: dict[tuple[str, int], str] = {}
        self._average: dict[tuple[str, int], float | None] = {}
        self._left = RunsLeft(0)
        self._status = console.status("starting")
        self._live = Live(console=console, refresh_per_second=2, transient=True)

    def has(self, row: str, seed: int) -> bool:
        """Return whether a run is one of those that were chosen."""
        return (row, seed) in self._state

    def __enter__(self) -> Self:
        self._status.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._live.stop()
        self._status.stop()

    def _start(self, fields: Mapping[str, Any]) -> None:
        self._status.stop()
        self._console.print(fields["text"], markup=False, highlight=False)
        self._state = {(row, seed): state for row, seed, state in fields["cells"]}
        self._left = RunsLeft(fields["todo"])
        if self._console.is_terminal and fields["todo"]:
            self._live.update(self._view())
            self._live.start()

    def _table(self, fields: Mapping[str, Any]) -> None:
        self._live.stop()
        self._status.update(fields["text"])
        self._status.start()

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event."""
        about = {"start": self._start, "table": self._table}.get(event)
        if about is not None:
            about(fields)
            return
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
        seeds = list(dict.fromkeys(seed for _, seed in self._state))[:SEEDS_SHOWN]
        for seed in seeds:
            table.add_column(f"seed {seed}", justify="right")
        for row in dict.fromkeys(row for row, _ in self._state):
            table.add_row(row, *(self._cell((row, seed)) for seed in seeds))
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
