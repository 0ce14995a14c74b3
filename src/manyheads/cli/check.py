"""The command `manyheads check`: a dry run of a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from manyheads.cli.terminal import make_console
from manyheads.cli.train import Changes, Recipe

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from manyheads.checks.audit import FileAudit


def check(recipe: Recipe, set_: Changes = None) -> None:
    """Check a recipe and its files, and estimate time and memory.

    Nothing is trained and no file is written. The exit status is 1 if training would stop at a rejected row.
    """
    import manyheads as mh
    from manyheads.api.checked import STOPS, file_lines
    from manyheads.cli.show import width_of
    from manyheads.recipe.load import overrides
    from manyheads.training.memory import keep_freed_memory

    keep_freed_memory()  # as in the training whose time is estimated
    console = make_console(soft_wrap=True)
    with console.status("reading the files and timing a few steps"):
        found = mh.check(mh.Recipe.load(recipe, overrides(set_ or [])))
    table = _files_table(found.rehearsal.files)
    if width_of(table) <= console.width:
        console.print(table)
    else:
        _print(console, file_lines(found.rehearsal.files))
    _print(console, found.findings)
    if found.stops:
        typer.secho(STOPS, fg="red", err=True)
        raise typer.Exit(1)


def _files_table(files: Sequence[FileAudit]) -> Table:
    """Return the counts of every file. The table fits into 80 columns with task names of up to 12 letters."""
    from rich import box
    from rich.table import Table

    from manyheads.api.checked import COLUMNS, TITLE, file_rows

    table = Table(title=TITLE, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if place < 2 else "right", no_wrap=True)
    for row in file_rows(files):
        table.add_row(*row)
    return table


def _print(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)
