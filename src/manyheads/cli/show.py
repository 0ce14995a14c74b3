"""Train a recipe in a terminal: notes, progress, the results table, and the next commands.

Progress is a bar on a terminal, plain lines elsewhere.
"""

from __future__ import annotations

import os
import shlex
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from manyheads import plugins
from manyheads.api.progress import LINE_EVERY, RunProgress, step_line
from manyheads.cli.terminal import Shown, drop_output, make_console, unwritable
from manyheads.tasks.written import fixed


class ProgressDisplay:
    """A listener that shows the rate, the time left and the loss of each task, and prints a line per evaluation."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[losses]}", style="cyan"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._id = self._bar.add_task("training", total=None, rate="", losses="", visible=False)
        self._last_line = time.monotonic()
        self._progress = RunProgress(self)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event."""
        self._progress(event, **fields)

    def say(self, text: str) -> None:
        """Print a message."""
        self._console.print(text, markup=False, highlight=False)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, highlight=False)

    def begin(self, what: str, total: int | None, at: int) -> None:
        """Begin a bar."""
        self._bar.reset(self._id, total=total, completed=at, visible=True, description=what)

    def step(self, at: int, total: int | None, rate: str, left: str, losses: str) -> None:
        """Advance the bar, or print a line from time to time."""
        self._bar.update(self._id, completed=at, rate=rate, losses=losses)
        if not self._console.is_terminal and time.monotonic() - self._last_line > LINE_EVERY:
            self._last_line = time.monotonic()
            self.say(step_line(at, total, rate, left, losses))


def run_and_show(
    recipe_file: Path, changes: list[str], out: Path, *, resume: bool, trackers: Sequence[str] = ()
) -> None:
    """Train a recipe into the run folder `out` and print the results.

    A run that a signal stops ends with exit status 128 + n and prints the command that resumes it.
    """
    from manyheads.training.launch import Launch

    # Only the first of several processes prints.
    console = make_console(soft_wrap=True, quiet=Launch.read().rank != 0)
    with console.status("starting") if console.is_terminal else nullcontext():
        import manyheads as mh
        from manyheads.recipe.load import overrides
        from manyheads.training.stop import Interrupted, StopFlag

        recipe = mh.Recipe.load(recipe_file, overrides(changes))
    try:
        with ProgressDisplay(console) as display:
            shown = Shown(display)
            run = mh.train(
                recipe,
                out,
                resume=resume,
                track=trackers,
                listeners=[shown],
                stop=StopFlag(ends_process=True),
                tune_allocator=True,
                report=False,
                progress=False,
            )
    except Interrupted as stopped:
        if shown.failure is not None:
            raise unwritable(shown.failure, stopped_text(stopped.step, out, trackers)) from None
        console.print(stopped_text(stopped.step, out, trackers), markup=False, highlight=False)
        if Launch.read().size > 1 and not trackers:
            _end_at_once(128 + stopped.signal_number)
        raise SystemExit(128 + stopped.signal_number) from None
    try:
        if shown.failure is not None:
            raise shown.failure
        console.print(results_table(run.results, width=console.width))
        console.print(_rates(run.results), markup=False, highlight=False)
        _report(out, console)
        console.print(next_text(out, list(run.results["last"]["tasks"]), console.width), markup=False, highlight=False)
    except OSError as error:
        drop_output()
        raise unwritable(error, f"the run is finished; its results are in {out}") from None


def _end_at_once(status: int) -> None:
    """End one of several processes. Threads of torch could otherwise wait for processes that ended."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def _report(out: Path, console: Console) -> None:
    """Write the report of the run. If that fails, print a warning: the run itself is complete."""
    if console.quiet:
        return
    import manyheads as mh

    try:
        with console.status("writing the report") if console.is_terminal else nullcontext():
            page = mh.report(out)
    except Exception as error:
        console.print(f"warning: the report could not be written: {error}", markup=False, style="yellow")
        return
    console.print(f"report: {page}", markup=False, highlight=False)


def results_table(results: Mapping[str, Any], *, width: int) -> Table:
    """Return the dev metrics of the best and of the last epoch, per task.

    If the table does not fit into `width` columns, the interval goes below the value of the last epoch.
    """
    table = _results_table(results, narrow=False)
    return table if width_of(table) <= width else _results_table(results, narrow=True)


def _results_table(results: Mapping[str, Any], *, narrow: bool) -> Table:
    best, last = results["best"], results["last"]
    chosen = "no epoch is best" if best is None else f"best is epoch {best['epoch']}, chosen on dev"
    gap = "\n" if narrow else " "
    table = Table(title=f"dev metrics:{gap}{chosen}; last is epoch {last['epoch']}", title_justify="left")
    table.add_column("task", overflow="fold")
    table.add_column("metric", overflow="fold")
    table.add_column("best", justify="right", no_wrap=True)
    table.add_column("last\n95% interval" if narrow else "last", justify="right", no_wrap=True)
    if not narrow:
        table.add_column("95% interval (last)", justify="right", no_wrap=True)

    def add(task: str, metric: str, values: Sequence[str], bounds: str) -> None:
        if narrow:
            table.add_row(task, metric, values[0], f"{values[1]}\n{bounds}" if bounds else values[1])
        else:
            table.add_row(task, metric, *values, bounds)

    for task, metrics in last["tasks"].items():
        for position, (metric, value) in enumerate(metrics.items()):
            chosen_value = None if best is None else best["tasks"].get(task, {}).get(metric)
            bounds = last.get("intervals", {}).get(task, {}).get(metric)
            add(task if position == 0 else "", metric, (number(chosen_value), number(value)), interval(bounds))
        table.add_section()
    for tasks, share in last.get("whole_rows", {}).items():
        chosen_share = None if best is None else best.get("whole_rows", {}).get(tasks, {}).get("accuracy")
        add(tasks, "whole_rows", (number(chosen_share), number(share["accuracy"])), interval(share["interval"]))
        table.add_section()
    add("average", "", (number(None if best is None else best.get("average")), number(last.get("average"))), "")
    if last.get("course_score") is not None:
        chosen_score = None if best is None else best.get("course_score")
        add("course_score", "", (number(chosen_score), number(last["course_score"])), "")
    return table


def width_of(table: Table) -> int:
    """Return the number of columns that a table needs if no cell is wrapped."""
    return Console(width=10_000).measure(table).maximum


def number(value: float | None) -> str:
    """Return a metric with four decimals, or "undefined" for None."""
    return "undefined" if value is None else fixed(value, 4)


def interval(bounds: Sequence[float] | None) -> str:
    """Return an interval with three decimals, or an empty string for None."""
    return "" if bounds is None else f"{fixed(bounds[0], 3)} to {fixed(bounds[1], 3)}"


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: "1 thread", "2 threads"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def stopped_text(step: int, out: Path, trackers: Sequence[str] = ()) -> str:
    """Return what to print after a stopped run: the step, and the command that resumes the run."""
    stopped = f"Stopped after step {step}. "
    if int(os.environ.get("WORLD_SIZE") or "1") > 1:
        return stopped + "To resume, start all processes again with the same command and --resume."
    words = ["manyheads", "train", str(out / "recipe.toml"), "--out", str(out), "--resume"]
    for name in trackers:
        words += ["--track", name]
    words += plugins.options()
    return f"{stopped}Resume with:\n  {shlex.join(words)}"


def _rates(results: Mapping[str, Any]) -> str:
    text = f"{plural(results.get('steps', 0), 'step')} in {results['seconds']:.0f} s of training"
    examples, tokens = results.get("examples_per_second"), results.get("tokens_per_second")
    if examples is None or tokens is None:
        return text
    return f"{text}: {examples:.1f} examples/s, {tokens:.0f} tokens/s"


def next_text(out: Path, tasks: Sequence[str], width: int) -> str:
    """Return the commands to run next, with what each one does."""
    commands = {
        ("predict", str(out), "--task", tasks[0], "--input", "FILE"): "predict one task for a file of texts",
        ("evaluate", str(out)): "measure the model in the run folder again",
        ("serve", str(out)): "serve predictions over HTTP, with a page to try them",
        ("export", str(out), "--to", "onnx"): "export the model for use without torch",
    }
    lines = {f"  {shlex.join(['manyheads', *words, *plugins.options()])}": what for words, what in commands.items()}
    column = max(map(len, lines))
    if column + 2 + max(map(len, lines.values())) <= width:
        shown = [f"{line:{column}}  {what}" for line, what in lines.items()]
    else:
        shown = [part for line, what in lines.items() for part in (f"  # {what}", line)]
    return "\n".join(["", f"The run is in {out}. The model to ship is in {out / 'model'}. Next:", *shown])
