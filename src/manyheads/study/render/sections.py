"""The sections of a table as cells of text. Markdown, LaTeX, HTML and the terminal render these sections."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from manyheads.study.render import words
from manyheads.study.table import Difference, Interval, Table, TableRow

Mark = Literal["", "best", "significant", "name"]


@dataclass(frozen=True)
class Cell:
    """One cell: its text, an interval or remark below it, and its mark."""

    text: str
    detail: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Column:
    """The title of a column.

    `optional`: a terminal that is too narrow for the whole section omits the column. `attached`: the column is always
    shown together with the column before it.
    """

    title: str
    numeric: bool = True
    optional: bool = False
    attached: bool = False


@dataclass(frozen=True)
class Section:
    """A titled block of rows."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def sections(table: Table) -> tuple[Section, ...]:
    """Return the sections of a table that have rows."""
    candidates = (_main(table), _by_task(table), _twins(table), _effects(table), _epochs(table))
    return tuple(section for section in candidates if section.rows)


def metric_title(table: Table) -> str:
    """Return the metric of a study as a column title."""
    return table.metric.replace("_", " ")


def _main(table: Table) -> Section:
    columns = [
        Column("row", numeric=False),
        *(Column(factor, numeric=False, optional=True) for factor in table.factors),
        *(Column(f"{task.name} ({task.metric})") for task in table.tasks),
        Column("average"),
        *((Column("course score"),) if table.has_course_score else ()),
        Column(f"difference in {metric_title(table)}"),
        Column("p", attached=True),
        Column("p (Holm)", attached=True),
        Column("among the best", numeric=False),
    ]
    rows = [tuple(_main_row(table, row)) for row in table.listed]
    return Section("Results", tuple(columns), tuple(rows))


def _main_row(table: Table, row: TableRow) -> Iterator[Cell]:
    yield Cell(row.name, _remark(table, row), "name")
    for factor in table.factors:
        yield Cell(words.level(row.levels.get(factor, "")))
    for task in table.tasks:
        yield interval_cell(row.best.tasks.get(task.name))
    yield interval_cell(row.best.average, "best" if row.may_be_best else "")
    if table.has_course_score:
        yield interval_cell(row.best.course_score)
    yield from difference_cells(row.difference)
    yield Cell(words.TICK if row.may_be_best else "")


def _remark(table: Table, row: TableRow) -> str:
    parts = []
    if row.name == table.baseline:
        parts.append("baseline")
    if row.same_as:
        parts.append(f"same runs as {row.same_as}")
    if row.failed:
        parts.append(f"failed: {_seeds(row.failed)}")
    if row.missing:
        parts.append(f"not finished: {_seeds(row.missing)}")
    if row.provenance:
        parts.append(row.provenance)
    return "; ".join(parts)


def _seeds(seeds: Sequence[int]) -> str:
    noun = "seed" if len(seeds) == 1 else "seeds"
    return f"{noun} {', '.join(map(str, seeds))}"


def _by_task(table: Table) -> Section:
    columns = [Column("row", numeric=False)]
    for task in table.tasks:
        columns += [Column(f"{task.name} ({task.metric})"), Column("p (Holm)", attached=True)]
    rows = []
    for row in table.listed:
        if any(difference is not None for difference in row.differences.values()):
            cells = [Cell(row.name, mark="name")]
            for task in table.tasks:
                difference, _, p_holm = difference_cells(row.differences.get(task.name))
                cells += [difference, p_holm]
            rows.append(tuple(cells))
    title = f"Differences from {table.baseline} by task"
    return Section(title, tuple(columns), tuple(rows) if len(table.tasks) > 1 else ())


def _twins(table: Table) -> Section:
    columns = (
        Column("row", numeric=False),
        Column("task", numeric=False),
        Column("trained together"),
        Column("trained alone"),
        Column("gain"),
        Column("p", attached=True),
        Column("p (Holm)", attached=True),
    )
    rows = [
        (
            Cell(twin.row, mark="name"),
            Cell(twin.task),
            interval_cell(twin.together),
            interval_cell(twin.alone),
            *difference_cells(twin.gain),
        )
        for twin in table.twins
    ]
    note = (
        "Trained alone: the same recipe with this task only (the single-task twin). A positive gain means that "
        "multitask training improved the task."
    )
    return Section("Gains over single-task twins", columns, tuple(rows), note)


def _effects(table: Table) -> Section:
    columns = (
        Column("factor", numeric=False),
        Column("kind", numeric=False),
        Column(f"effect on {metric_title(table)}"),
        Column("p", attached=True),
        Column("p (Holm)", attached=True),
    )
    rows = [
        (Cell(effect.name, mark="name"), Cell(effect.kind), *difference_cells(effect.value)) for effect in table.effects
    ]
    note = (
        "Main effect: the effect of a level compared with the level of the baseline, in an additive model (least "
        "squares over the rows). Interaction: the difference of differences over rows that agree in all other factors."
    )
    return Section("Effects of the factors", columns, tuple(rows), note)


def _epochs(table: Table) -> Section:
    columns = (
        Column("row", numeric=False),
        Column("average, best epoch"),
        Column("average, last epoch"),
        Column("best epoch"),
        Column("last epoch"),
        Column("seeds"),
    )
    rows = [
        (
            Cell(row.name, mark="name"),
            interval_cell(row.best.average),
            interval_cell(row.last.average),
            Cell(words.epochs(row.best.epochs)),
            Cell(words.epochs(row.last.epochs)),
            Cell(words.seeds(row.seeds, len(table.seeds))),
        )
        for row in table.listed
    ]
    return Section("Epochs and seeds", columns, tuple(rows))


def interval_cell(interval: Interval | None, mark: Mark = "") -> Cell:
    """Return a mean with its interval below."""
    return Cell("") if interval is None else Cell(words.score(interval.mean), words.bounds(interval), mark)


def difference_cells(difference: Difference | None) -> tuple[Cell, Cell, Cell]:
    """Return a difference with its interval, its p value and its corrected p value. Significant ones are marked."""
    if difference is None:
        return Cell(""), Cell(""), Cell("")
    mark: Mark = "significant" if difference.significant else ""
    shown = Cell(words.signed(difference.mean), words.signed_bounds(difference), mark)
    return shown, Cell(words.p_value(difference.p)), Cell(words.p_value(difference.p_holm), mark=mark)
