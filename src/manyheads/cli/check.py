"""`manyheads check`: a dry run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import typer

from manyheads.cli.train import Changes, Recipe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from manyheads.recipe.rehearse import Rehearsal

SHOWN = 10


def check(recipe: Recipe, set_: Changes = None) -> None:
    """Audit a recipe and its files, show the schedule, estimate time and memory. Trains nothing."""
    from rich.console import Console

    from manyheads.recipe.load import load_recipe
    from manyheads.recipe.rehearse import rehearse

    console = Console(soft_wrap=True)
    with console.status("reading, and timing a few steps"):
        found = rehearse(load_recipe(recipe, set_ or []))
    console.print(_files(found))
    _say(console, _labels(found))
    _say(console, _findings(found))
    _say(console, _schedule(found))
    if found.stops:
        typer.secho(
            'training would stop at the rejected rows: mend them, or set on_bad_rows = "skip"', fg="red", err=True
        )
        raise typer.Exit(1)


def _files(found: Rehearsal) -> Table:
    """Counts, narrow enough for a terminal of 80 columns."""
    from rich.table import Table

    table = Table(title="files; mean, p99 and max: tokens an example", title_justify="left")
    for column in ("task", "split"):
        table.add_column(column, no_wrap=True)
    for column in ("rows", "rejected", "repeated", "cut", "mean", "p99", "max"):
        table.add_column(column, justify="right")
    for audit in found.files:
        mean, high, longest = audit.tokens
        counts = (
            f"{audit.rows:,}",
            len(audit.rejected),
            audit.duplicates,
            audit.cut,
            f"{mean:.0f}",
            f"{high:.0f}",
            longest,
        )
        table.add_row(audit.task, audit.split, *map(str, counts))
    return table


def _labels(found: Rehearsal) -> list[str]:
    """Each file with the shares of its labels."""
    lines = []
    for audit in found.files:
        shares = [f"{label}: {share:.0%}" for label, share in list(audit.labels.items())[:SHOWN]]
        more = ["..."] if len(audit.labels) > SHOWN else []
        shown = ", ".join(shares + more) or "no labels"
        lines.append(f"  {audit.task} {audit.split} ({Path(audit.source).name}): {shown}")
    return ["labels", *lines, ""]


def _findings(found: Rehearsal) -> list[str]:
    lines = list(found.warnings)
    for audit in found.files:
        lines += [f"rejected: {row}" for row in audit.rejected[:SHOWN]]
        if len(audit.rejected) > SHOWN:
            lines.append(f"... and {len(audit.rejected) - SHOWN} more in {audit.source}")
    for overlap in found.overlaps:
        what = "example" if overlap.train == overlap.dev else "text"
        many, stand = ("", "stands") if overlap.texts == 1 else ("s", "stand")
        train, dev = f"{overlap.train}'s training file", f"{overlap.dev}'s dev file"
        lines.append(f"{overlap.texts} {what}{many} of {train} also {stand} in {dev}")
    return lines


def _schedule(found: Rehearsal) -> list[str]:
    plan, recipe = found.plan, found.recipe
    lines = ["", f"schedule: {plan.total_steps:,} steps, {plan.steps_per_epoch:,} an epoch"]
    lines += [f"  {each.task}: seen {each.times:.4g} times, {each.steps:,} steps" for each in found.schedule]
    minutes = found.training_seconds / 60
    lines += [
        f"trained parameters: {found.parameters:,}",
        f"time: about {minutes:.1f} min of training and {found.evaluation_seconds / 60:.1f} min of evaluation",
        f"rate: {found.examples_per_second:.1f} examples/s on {recipe.device} with {recipe.threads} threads",
        f"memory: {found.peak_gib:.1f} GiB at the peak of these steps",
    ]
    return lines


def _say(console: Console, lines: list[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)
