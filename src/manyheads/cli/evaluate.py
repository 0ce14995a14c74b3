"""`manyheads evaluate`: measure a finished run's model."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.recipe.measure import Measurement


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
    int8: Annotated[
        bool, typer.Option("--int8", help="Also measure the model in 8-bit integers: what it costs, what it saves.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON in place of a table.")] = False,
) -> None:
    """Measure a finished run on its dev or test files, or on another file."""
    if input_ is not None and task is None:
        raise typer.BadParameter("--input needs --task: which task is the file of?")
    import json

    from rich.console import Console

    from manyheads.recipe.measure import measure_run

    found = measure_run(run, split=split.value, task=task, file=input_, int8=int8)
    if as_json:
        whole = {**found.scores, "examples": dict(found.examples), "seconds": found.seconds}
        if found.int8 is not None:
            whole["int8"] = {**found.int8.scores, "seconds": found.int8.seconds}
        typer.echo(json.dumps(whole, indent=2))
        return
    Console().print(table_of(found, str(input_ or f"{split.value} files")))


def table_of(found: Measurement, title: str) -> Table:
    """A row a metric; with the quantised model's figures and what they differ by, where it was measured."""
    from rich.table import Table

    from manyheads.cli.show import interval, number

    table = Table(title=title, title_justify="left")
    for column in (
        "task",
        "examples",
        "metric",
        "value",
        *(("int8", "difference") if found.int8 else ("95% interval",)),
    ):
        justify: Literal["left", "right"] = "left" if column in ("task", "metric") else "right"
        table.add_column(column, justify=justify, no_wrap=column == "95% interval")

    def values(value: float | None, other: float | None) -> list[str]:
        if found.int8 is None:
            return [number(value)]
        gap = "" if value is None or other is None else f"{other - value:+.4f}"
        return [number(value), number(other), gap]

    for name, metrics in found.scores["tasks"].items():
        for position, (metric, value) in enumerate(metrics.items()):
            first = (name, str(found.examples[name])) if position == 0 else ("", "")
            other = found.int8.scores["tasks"][name][metric] if found.int8 else None
            row = values(value, other)
            if found.int8 is None:
                row.append(interval(found.scores["intervals"][name][metric]))
            table.add_row(*first, metric, *row)
        table.add_section()
    table.add_row(
        "average", "", "", *values(found.scores["average"], found.int8.scores["average"] if found.int8 else None)
    )
    if found.int8 is not None:
        table.add_row("seconds", "", "", f"{found.seconds:.1f}", f"{found.int8.seconds:.1f}", "")
    return table
