"""The command `manyheads check`: a dry run of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from manyheads.cli.terminal import make_console
from manyheads.cli.train import Changes, Recipe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from manyheads.checks.audit import FileAudit
    from manyheads.checks.rehearse import Rehearsal

SHOWN = 10
"""Labels shown per file, and rejected rows shown per file."""


def check(recipe: Recipe, set_: Changes = None) -> None:
    """Check a recipe and its files, and estimate time and memory.

    Nothing is trained and no file is written. The exit status is 1 if training would stop at a rejected row.
    """
    from manyheads.checks.rehearse import rehearse
    from manyheads.cli.show import width_of
    from manyheads.recipe.load import load_recipe
    from manyheads.training.memory import keep_freed_memory

    keep_freed_memory()  # as in the training whose time is estimated
    console = make_console(soft_wrap=True)
    with console.status("reading the files and timing a few steps"):
        rehearsal = rehearse(load_recipe(recipe, set_ or []))
    table = _files_table(rehearsal.files)
    if width_of(table) <= console.width:
        console.print(table)
    else:
        _print(console, _file_lines(rehearsal.files))
    _print(console, _labels(rehearsal.files))
    _print(console, _groups(rehearsal.files))
    _print(console, _streams(rehearsal))
    _print(console, _findings(rehearsal))
    _print(console, _schedule(rehearsal))
    if rehearsal.stops:
        message = 'Training would stop at the rejected rows. Fix them, or set on_bad_rows = "skip" for the task.'
        typer.secho(message, fg="red", err=True)
        raise typer.Exit(1)


def _files_table(files: Sequence[FileAudit]) -> Table:
    """Return the counts of every file. The table fits into 80 columns with task names of up to 12 letters."""
    from rich import box
    from rich.table import Table

    table = Table(
        title="files (mean, p99 and max: tokens per example)",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        show_edge=False,
        padding=(0, 1, 0, 0),
    )
    for column in ("task", "split"):
        table.add_column(column, no_wrap=True)
    for column in ("rows", "rejected", "repeated", "truncated", "mean", "p99", "max"):
        table.add_column(column, justify="right", no_wrap=True)
    for audit in files:
        mean, high, longest = audit.tokens
        counts = (f"{audit.rows:,}", len(audit.rejected), audit.duplicates, audit.cut)
        table.add_row(audit.task, audit.split, *map(str, counts), f"{mean:.0f}", f"{high:.0f}", str(longest))
    return table


def _file_lines(files: Sequence[FileAudit]) -> list[str]:
    """Return the counts of every file as lines, for a terminal that is narrower than the table."""
    from manyheads.cli.show import plural

    lines = ["files"]
    for audit in files:
        mean, high, longest = audit.tokens
        lines += [
            f"  {audit.task} {audit.split}: {plural(audit.rows, 'row')}",
            f"    {len(audit.rejected)} rejected, {audit.duplicates} repeated, {audit.cut} truncated",
            f"    tokens per example: mean {mean:.0f}, p99 {high:.0f}, max {longest}",
        ]
    return lines


def _labels(files: Sequence[FileAudit]) -> list[str]:
    """Return one line per file with the share of each label."""
    lines = []
    for audit in files:
        shares = [f"{label}: {share:.0%}" for label, share in list(audit.labels.items())[:SHOWN]]
        more = ["..."] if len(audit.labels) > SHOWN else []
        shown = ", ".join(shares + more) or "no labels"
        lines.append(f"  {audit.task} {audit.split} ({Path(audit.source).name}): {shown}")
    return ["", "labels", *lines]


def _groups(files: Sequence[FileAudit]) -> list[str]:
    """Return one line per file with the number of groups, if a task names a column of groups."""
    lines = [
        f"  {audit.task} {audit.split} ({Path(audit.source).name}): {audit.groups:,} groups of {audit.rows:,} rows"
        for audit in files
        if audit.groups is not None
    ]
    return ["", "groups", *lines] if lines else []


def _streams(rehearsal: Rehearsal) -> list[str]:
    """Return the rows that several tasks read, with the number of labels and of empty cells of each task."""
    from manyheads.cli.show import plural

    lines = []
    for stream in rehearsal.streams:
        lines.append(f"  {', '.join(stream.labels)}: {plural(stream.rows, 'training row')}, each encoded once")
        for task, labels in stream.labels.items():
            empty = stream.rows - labels
            without = f", {empty:,} without a label" if empty else ""
            lines.append(f"    {task}: {plural(labels, 'label')}{without}")
    return ["", "rows with several labels", *lines] if lines else []


def _findings(rehearsal: Rehearsal) -> list[str]:
    """Return the warnings, the first rejected rows of each file, and the overlaps of training and dev files."""
    from manyheads.cli.show import plural

    lines = list(rehearsal.warnings)
    for audit in rehearsal.files:
        lines += [f"rejected: {row}" for row in audit.rejected[:SHOWN]]
        if len(audit.rejected) > SHOWN:
            lines.append(f"... and {len(audit.rejected) - SHOWN} more in {audit.source}")
    for overlap in rehearsal.overlaps:
        texts = plural(overlap.texts, "example" if overlap.train == overlap.dev else "text")
        is_or_are = "is" if overlap.texts == 1 else "are"
        lines.append(f"{texts} of {overlap.train}'s training file {is_or_are} also in {overlap.dev}'s dev file")
    return ["", *lines] if lines else []


def _schedule(rehearsal: Rehearsal) -> list[str]:
    """Return the number of steps, the estimates of time, and the measured rate and memory."""
    from manyheads.cli.show import plural

    plan, recipe = rehearsal.plan, rehearsal.recipe
    lines = ["", f"schedule: {plural(plan.total_steps, 'step')} ({plan.steps_per_epoch:,} per epoch)"]
    lines += [
        f"  {each.task}: {plural(each.steps, 'step')}, each example seen {each.times:.4g} times on average"
        for each in rehearsal.schedule
    ]
    training, evaluation = _duration(rehearsal.training_seconds), _duration(rehearsal.evaluation_seconds)
    where = f"cpu with {plural(recipe.threads or 1, 'thread')}" if recipe.device == "cpu" else recipe.device
    lines += [
        f"trained parameters: {rehearsal.parameters:,}",
        f"time: about {training} of training and {evaluation} of evaluation",
        f"rate: {rehearsal.examples_per_second:.1f} examples/s on {where}",
        f"memory: {rehearsal.peak_gib:.1f} GiB at the peak of the timed steps",
    ]
    return lines


def _duration(seconds: float) -> str:
    """Return seconds below two minutes, and minutes above."""
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.1f} min"


def _print(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)
