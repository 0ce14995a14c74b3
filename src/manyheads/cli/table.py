"""`manyheads table`: write and show the table of a study."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.cli.study import Out, Study
from manyheads.cli.terminal import make_console
from manyheads.cli.train import Changes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    from manyheads.studies.render.sections import Cell, Section
    from manyheads.studies.table import Table

NAME_WIDTH = 16
"""Width to which a narrow terminal may fold the first column."""


def table(study: Study, out: Out = None, set_: Changes = None) -> None:
    """Write the table and the figures of a study from its finished runs."""
    console = make_console(soft_wrap=True)
    with console.status("computing the table"):
        import manyheads as mh
        from manyheads.recipe.load import overrides

        own = mh.Study.load(study, overrides(set_ or []))
        result = own.table(out)
    show_table(console, result, own.folder(out))


def show_table(console: Console, result: Table, out: Path) -> None:
    """Show the table of a study on the terminal, and print the names of its files. `out`: their folder."""
    from manyheads.studies.render.sections import sections

    for section in sections(result):
        print_section(console, section)
    for note in result.notes:
        console.print(f"- {note}", markup=False, highlight=False, soft_wrap=False)
    console.print(f"\ntable:   {out / 'table.html'} (also .md, .csv, .tex and .json)", markup=False, highlight=False)
    console.print(f"figures: {out / 'figures'}", markup=False, highlight=False)


def print_section(console: Console, section: Section) -> None:
    """Show a section on the terminal, in blocks of columns that fit it."""
    blocks = blocks_of(section, console.width)
    for block in blocks:
        console.print(_grid(section, block, console.width, title=block is blocks[0]), soft_wrap=False)
        console.print()
    shown = {place for block in blocks for place in block}
    omitted = [column.title for place, column in enumerate(section.columns) if place not in shown]
    if omitted:
        text = f"Not shown in this width: {', '.join(omitted)}. See table.html."
        console.print(text, style="dim", markup=False, highlight=False, soft_wrap=False)
    if section.note:
        console.print(section.note, style="dim", markup=False, highlight=False, soft_wrap=False)
    if omitted or section.note:
        console.print()


def blocks_of(section: Section, width: int) -> list[list[int]]:
    """Divide the columns of a section into blocks that fit a terminal, each with the columns that name its rows.

    A section that fits as a whole is one block with all columns. Otherwise the optional columns are omitted.
    """
    widths = [_width(section, place) for place in range(len(section.columns))]
    everything = list(range(len(section.columns)))
    if sum(widths) + len(widths) <= width:
        return [everything]
    names = _names(section)
    widths[0] = min(widths[0], max(NAME_WIDTH, width // 3))
    room = width - sum(widths[place] + 1 for place in names)
    blocks, free = [[*names]], room
    for group in _groups(section, len(names)):
        needed = sum(widths[place] + 1 for place in group)
        if needed > free and len(blocks[-1]) > len(names):
            blocks.append([*names])
            free = room
        blocks[-1] += group
        free -= needed
    return blocks


def _names(section: Section) -> list[int]:
    """Return the first columns, as many as are needed to identify each row: its name, or its name and the task."""
    last = next((place for place, column in enumerate(section.columns) if column.numeric), 1)
    for count in range(1, last):
        if len({tuple(cell.text for cell in row[:count]) for row in section.rows}) == len(section.rows):
            return list(range(count))
    return list(range(max(1, last)))


def _groups(section: Section, start: int) -> list[list[int]]:
    """Return the required columns from `start` on. Columns that belong together are one group."""
    groups: list[list[int]] = []
    for place, column in enumerate(section.columns[start:], start=start):
        if column.attached and groups:
            groups[-1].append(place)
        elif not column.optional:
            groups.append([place])
    return groups


def _width(section: Section, place: int) -> int:
    """Return the width of a column, whose title may be wrapped between words."""
    return max(map(len, _unbreakable(section, place)))


def _unbreakable(section: Section, place: int) -> Iterator[str]:
    yield from section.columns[place].title.split()
    for row in section.rows:
        yield row[place].text
        # The remark below a name may be wrapped, the interval below a number may not.
        yield from row[place].detail.split() if place == 0 else (row[place].detail,)


def _grid(section: Section, places: Sequence[int], width: int, *, title: bool) -> Grid:
    """Return the columns at these places as a table."""
    from rich.table import Table as Grid

    widths = [_width(section, place) for place in places]
    free = width - sum(widths[1:]) - len(widths)
    grid = Grid(
        title=section.title if title else None, title_justify="left", box=None, pad_edge=False, padding=(0, 1, 0, 0)
    )
    for place, own in zip(places, widths, strict=True):
        column = section.columns[place]
        grid.add_column(
            column.title,
            justify="right" if column.numeric else "left",
            overflow="fold",
            width=max(1, min(own, free)) if place == 0 else own,
        )
    for row in section.rows:
        grid.add_row(*(_text(row[place]) for place in places))
    return grid


def _text(cell: Cell) -> Text:
    from rich.text import Text

    text = Text(cell.text, style="bold" if cell.mark in ("best", "significant") else "")
    return text.append(f"\n{cell.detail}", style="dim") if cell.detail else text
