"""The commands on studies: `manyheads study`, `manyheads table` and `manyheads power`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli.terminal import make_console, show
from manyheads.cli.train import Changes

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table as Grid
    from rich.text import Text

    from manyheads.studies.render.sections import Cell, Section
    from manyheads.studies.table import Table

_Study = Annotated[Path, typer.Argument(help="The study file (TOML).", metavar="STUDY", show_default=False)]

_Out = Annotated[
    Path | None,
    typer.Option("--out", help="The folder of the study. Default: runs/<name of the study file>.", show_default=False),
]


def study(
    study: _Study,
    out: _Out = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Number of parallel runs. Default: cores / threads per run.", show_default=False),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on the Ray cluster with this address, or auto.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ROW", help="Run only this row. May be repeated.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, metavar="N", help="Run only the first N seeds.", show_default=False)
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
    set_: Changes = None,
) -> None:
    """Run the missing runs of a study and write its table. Can be stopped and repeated at any time."""
    from manyheads.cli.show_study import study_and_show

    study_and_show(
        study,
        set_ or [],
        out,
        jobs=jobs,
        ray=ray,
        only=only or [],
        seeds=seeds,
        retry_failed=retry_failed,
    )


NAME_WIDTH = 16
"""Width to which a narrow terminal may fold the first column."""


def table(study: _Study, out: _Out = None, set_: Changes = None) -> None:
    """Write the table and the figures of a study from its finished runs."""
    console = make_console(soft_wrap=True)
    with console.status("computing the table"):
        import manyheads as mh
        from manyheads.recipe.load import overrides

        result = mh.table(study, out, changes=overrides(set_ or []))
    show_table(console, result)


def show_table(console: Console, result: Table) -> None:
    """Show the table of a study on the terminal, and print the names of its files."""
    from manyheads.studies.render.sections import sections

    out = Path(result.folder or "")

    for section in sections(result):
        _print_section(console, section)
    for note in result.notes:
        console.print(f"- {note}", markup=False, highlight=False, soft_wrap=False)
    console.print(f"\ntable:   {out / 'table.html'} (also .md, .csv, .tex and .json)", markup=False, highlight=False)
    console.print(f"figures: {out / 'figures'}", markup=False, highlight=False)


def _print_section(console: Console, section: Section) -> None:
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


def power(
    study: _Study,
    pilot: Annotated[
        Path | None,
        typer.Option(
            "--pilot",
            metavar="OUT",
            help="Use the variances of a finished study or pilot in this folder. Default: assumed ones.",
            show_default=False,
        ),
    ] = None,
    seed_sd: Annotated[
        float | None,
        typer.Option(
            "--seed-sd",
            min=0,
            metavar="X",
            help="Standard deviation of the metric between seeds. Default: from the pilot, or assumed.",
            show_default=False,
        ),
    ] = None,
    correlation: Annotated[
        float | None,
        typer.Option(
            "--correlation",
            min=0,
            max=1,
            metavar="R",
            help="Correlation of two rows with the same seed. Default: from the pilot, or 0.",
            show_default=False,
        ),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            "--difference",
            metavar="D",
            help="Show the power for this true difference. Default: .01, .02 and .05.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    set_: Changes = None,
) -> None:
    """Show which differences a study can find, by number of seeds. Nothing is trained."""
    from dataclasses import asdict

    import manyheads as mh
    from manyheads.recipe.load import overrides
    from manyheads.studies.render.sections import power_section

    console = make_console(soft_wrap=True)
    with console.status("reading the dev files"):
        own = overrides(set_ or [])
        found = mh.power(
            study, pilot=pilot, seed_sd=seed_sd, correlation=correlation, difference=difference, changes=own
        )
    if as_json:
        show(json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        return
    for assumption in found.assumptions:
        console.print(f"- {assumption}", markup=False, highlight=False, soft_wrap=False)
    console.print()
    _print_section(console, power_section(found))
