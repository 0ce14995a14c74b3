"""`manyheads evaluate`: measure a finished run's model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class SplitName(StrEnum):
    """Which files of the recipe to measure on."""

    dev = "dev"
    test = "test"


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run's folder.", show_default=False)],
    split: Annotated[SplitName, typer.Option("--split", help="The recipe's files to measure on.")] = SplitName.dev,
    task: Annotated[str | None, typer.Option("--task", help="One task alone.", show_default=False)] = None,
    input_: Annotated[
        Path | None, typer.Option("--input", metavar="FILE", help="A labelled file of that task.", show_default=False)
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
) -> None:
    """Measure a finished run on its dev or test files, or on another file."""
    if input_ is not None and task is None:
        raise typer.BadParameter("--input needs --task: which task is the file of?")
    import json

    from rich.console import Console
    from rich.table import Table

    from manyheads.cli.show import number
    from manyheads.recipe.measure import measure_run

    found = measure_run(run, split=split.value, task=task, file=input_)
    if as_json:
        typer.echo(json.dumps({**found.scores, "examples": dict(found.examples)}, indent=2))
        return
    table = Table(title=str(input_ or f"{split.value} files"), title_justify="left")
    for column, justify in (("task", "left"), ("examples", "right"), ("metric", "left"), ("value", "right")):
        table.add_column(column, justify="right" if justify == "right" else "left")
    for name, metrics in found.scores["tasks"].items():
        for position, (metric, value) in enumerate(metrics.items()):
            first = (name, str(found.examples[name])) if position == 0 else ("", "")
            table.add_row(*first, metric, number(value))
        table.add_section()
    table.add_row("average", "", "", number(found.scores["average"]))
    Console().print(table)
