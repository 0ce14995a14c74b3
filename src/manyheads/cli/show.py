"""Running a recipe before a person's eyes: notes, progress, a table at the end, and what to do next."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table


def run_and_show(
    recipe_file: Path, changes: list[str], out: Path, *, resume: bool, trackers: Sequence[str] = ()
) -> None:
    """Train as the recipe says into `out`, and show what comes of it."""
    # torchrun numbers its processes: the first one speaks for all.
    console = Console(soft_wrap=True, quiet=os.environ.get("RANK", "0") != "0")
    with console.status("starting"):
        from manyheads.cli.progress import ProgressDisplay
        from manyheads.recipe.assemble import train
        from manyheads.recipe.load import load_recipe
        from manyheads.training.stop import Interrupted
        from manyheads.training.tracking import make_tracker

        recipe = load_recipe(recipe_file, changes)
    try:
        with ProgressDisplay(console) as display:
            listeners = [display, *(make_tracker(name, out, display) for name in trackers)]
            run = train(recipe, out, resume=resume, listeners=listeners)
    except Interrupted as stopped:
        console.print(f"Stopped after step {stopped.step}. Go on with:", markup=False)
        console.print(f"  manyheads train {out / 'recipe.toml'} --out {out} --resume", markup=False)
        raise SystemExit(128 + stopped.signal_number) from None
    console.print(results_table(run.results))
    console.print(_rates(run.results), markup=False, highlight=False)
    _report(out, console)
    console.print(_next(out, list(run.results["last"]["tasks"])), markup=False, highlight=False)


def _report(out: Path, console: Console) -> None:
    """Write the run's report; a report that fails is told, and the run is finished all the same."""
    if console.quiet:
        return
    from manyheads.report.write import write_report

    try:
        with console.status("writing the report"):
            page = write_report(out)
    except Exception as error:
        console.print(f"warning: the report could not be written: {error}", markup=False, style="yellow")
        return
    console.print(f"report: {page}", markup=False, highlight=False)


def results_table(results: Mapping[str, Any]) -> Table:
    """Dev metrics of the best and of the last evaluation, task by task."""
    table = Table(title="dev metrics", title_justify="left")
    best, last = results["best"], results["last"]
    table.add_column("task")
    table.add_column("metric")
    table.add_column("best" if best is None else f"best (epoch {best['epoch']}, chosen on dev)", justify="right")
    table.add_column(f"last (epoch {last['epoch']})", justify="right")
    table.add_column("95% interval (last)", justify="right", no_wrap=True)
    for task, metrics in last["tasks"].items():
        for position, (metric, value) in enumerate(metrics.items()):
            chosen = None if best is None else best["tasks"][task][metric]
            bounds = interval(last["intervals"][task][metric])
            table.add_row(task if position == 0 else "", metric, number(chosen), number(value), bounds)
        table.add_section()
    for name in ("average", "course_score"):
        table.add_row(name, "", number(None if best is None else best[name]), number(last[name]))
    return table


def number(value: float | None) -> str:
    """A metric with four digits, or a word where it could not be computed."""
    return "undefined" if value is None else f"{value:.4f}"


def interval(bounds: Sequence[float] | None) -> str:
    """Both ends of an interval, or nothing where it cannot be had."""
    return "" if bounds is None else f"{bounds[0]:.3f} to {bounds[1]:.3f}"


def _rates(results: Mapping[str, Any]) -> str:
    return (
        f"{results['steps']} steps in {results['seconds']:.0f} s of training: "
        f"{results['examples_per_second']:.1f} examples/s, {results['tokens_per_second']:.0f} tokens/s"
    )


def _next(out: Path, tasks: list[str]) -> str:
    """What to do with the run, a command a line."""
    commands = {
        f"manyheads predict {out} --task {tasks[0]} --input FILE": "answer a file of texts",
        f"manyheads evaluate {out}": "measure the shipped model again",
        f"manyheads serve {out}": "answer over HTTP, with a page to try it",
        f"manyheads export {out} --to onnx": "answer without torch",
    }
    width = max(map(len, commands))
    lines = [f"  {command:{width}}  {what}" for command, what in commands.items()]
    return "\n".join(["", f"The run is in {out}, the model to ship in {out / 'model'}. Next:", *lines])
