"""`manyheads table`: the table of a study, from its run folders alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli.study import Out, Study
from manyheads.cli.train import Changes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    from manyheads.study.plan import StudyPlan
    from manyheads.study.render.sections import Cell, Section

MEDIUM, WIDE = 110, 190
"""Columns of a terminal from which on more of the table is shown."""


def table(study: Study, out: Out = None, set_: Changes = None) -> None:
    """Make a study's table and figures from its runs, finished or not."""
    from rich.console import Console

    console = Console(soft_wrap=True)
    with console.status("reading runs"):
        from manyheads.study.load import load_study

        plan = load_study(study, set_ or [])
    show_table(console, plan, out or Path("runs") / study.stem)


def show_table(console: Console, plan: StudyPlan, out: Path) -> None:
    """Write a study's table into its folder, show it as wide as the terminal is, and say where it lies."""
    with console.status("making the table"):
        from manyheads.study.render.sections import sections
        from manyheads.study.write import write_table

        found = write_table(plan, out)
    for section in sections(found):
        console.print(_grid(section, console.width), soft_wrap=False)
        if section.note:
            console.print(section.note, style="dim", markup=False, highlight=False, soft_wrap=False)
        console.print()
    for note in found.notes:
        console.print(f"- {note}", markup=False, highlight=False, soft_wrap=False)
    console.print(
        f"\nThe table is in {out / 'table.html'} (md, csv, tex and json beside it),", markup=False, highlight=False
    )
    console.print(f"its figures in {out / 'figures'}.", markup=False, highlight=False)


def _grid(section: Section, width: int) -> Grid:
    """A section with the columns that fit."""
    from rich.table import Table as Grid

    most = 2 if width >= WIDE else 1 if width >= MEDIUM else 0
    kept = [place for place, column in enumerate(section.columns) if column.weight <= most]
    grid = Grid(title=section.title, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0))
    for place in kept:
        column = section.columns[place]
        grid.add_column(column.title, justify="right" if column.numeric else "left", overflow="fold")
    for row in section.rows:
        grid.add_row(*(_text(row[place]) for place in kept))
    return grid


def _text(cell: Cell) -> Text:
    from rich.text import Text

    text = Text(cell.text, style="bold" if cell.mark in ("best", "clear") else "")
    return text.append(f"\n{cell.detail}", style="dim") if cell.detail else text
