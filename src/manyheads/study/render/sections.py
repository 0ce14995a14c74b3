"""A table as sections of cells: what Markdown, LaTeX, HTML and the terminal have in common."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from manyheads.study.render import words
from manyheads.study.table import Difference, Interval, Table, TableRow

Mark = Literal["", "best", "clear", "name"]


@dataclass(frozen=True)
class Cell:
    """One cell: its text, an interval or remark below it, and how it is marked."""

    text: str
    detail: str = ""
    mark: Mark = ""


@dataclass(frozen=True)
class Column:
    """A column's head and whether it holds numbers. `weight`: what a narrow terminal keeps (0 first, then 1, 2)."""

    title: str
    numeric: bool = True
    weight: int = 0


@dataclass(frozen=True)
class Section:
    """A titled block of rows."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


def sections(table: Table) -> tuple[Section, ...]:
    """The blocks of a table that have rows."""
    found = (_main(table), _by_task(table), _twins(table), _effects(table))
    return tuple(section for section in found if section.rows)


def metric_title(table: Table) -> str:
    """A study's metric as a column's head."""
    return table.metric.replace("_", " ")


def _main(table: Table) -> Section:
    metric = metric_title(table)
    columns = [
        Column("row", numeric=False),
        *(Column(factor, numeric=False, weight=2) for factor in table.factors),
        *(Column(f"{task.name} ({task.metric})", weight=1) for task in table.tasks),
        Column("average"),
        Column("course score", weight=2),
        Column(f"difference in {metric}"),
        Column("p", weight=1),
        Column("p (Holm)"),
        Column("maybe best", numeric=False),
        Column("best epoch", weight=2),
        Column("average, last epoch", weight=1),
        Column("seeds", weight=2),
    ]
    rows = [tuple(_main_row(table, row)) for row in table.listed]
    return Section("Rows", tuple(columns), tuple(rows))


def _main_row(table: Table, row: TableRow) -> Iterator[Cell]:
    yield Cell(row.name, _remark(table, row), "name")
    for factor in table.factors:
        yield Cell(words.level(row.levels.get(factor, "")))
    for task in table.tasks:
        yield interval_cell(row.best.tasks.get(task.name))
    yield interval_cell(row.best.average, "best" if row.may_be_best else "")
    yield interval_cell(row.best.course_score)
    yield from difference_cells(row.difference)
    yield Cell(words.TICK if row.may_be_best else "")
    yield Cell(words.epochs(row.best.epochs))
    yield interval_cell(row.last.average)
    yield Cell(words.seeds(row.seeds, len(table.seeds)))


def _remark(table: Table, row: TableRow) -> str:
    parts = []
    if row.name == table.baseline:
        parts.append("baseline")
    if row.same_as:
        parts.append(f"the same runs as {row.same_as}")
    if row.failed:
        parts.append(f"failed: seed {_listed(row.failed)}")
    if row.missing:
        parts.append(f"not finished: seed {_listed(row.missing)}")
    if row.provenance:
        parts.append(row.provenance)
    return "; ".join(parts)


def _listed(seeds: Sequence[int]) -> str:
    return ", ".join(map(str, seeds))


def _by_task(table: Table) -> Section:
    columns = [Column("row", numeric=False)]
    for task in table.tasks:
        columns += [Column(f"{task.name} ({task.metric})"), Column("p (Holm)", weight=1)]
    rows = []
    for row in table.listed:
        if any(found is not None for found in row.differences.values()):
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
        Column("together"),
        Column("alone"),
        Column("what sharing did"),
        Column("p", weight=1),
        Column("p (Holm)"),
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
    note = "Alone: the same recipe with that task by itself. Above zero, sharing one encoder helped the task."
    return Section("Against single-task twins", columns, tuple(rows), note)


def _effects(table: Table) -> Section:
    columns = (
        Column("factor", numeric=False),
        Column("kind", numeric=False, weight=1),
        Column(f"effect on {metric_title(table)}"),
        Column("p", weight=1),
        Column("p (Holm)"),
    )
    rows = [
        (Cell(effect.name, mark="name"), Cell(effect.kind), *difference_cells(effect.value)) for effect in table.effects
    ]
    note = (
        "Main effect: what a level adds against the baseline's, where factors add up (least squares over the rows). "
        "Interaction: the difference of differences over rows that agree in all else."
    )
    return Section("What each factor is worth", columns, tuple(rows), note)


def interval_cell(found: Interval | None, mark: Mark = "") -> Cell:
    """A mean with its interval below."""
    return Cell("") if found is None else Cell(words.score(found.mean), words.bounds(found), mark)


def difference_cells(found: Difference | None) -> tuple[Cell, Cell, Cell]:
    """A difference with its interval, its p, and its corrected p; marked where that is below 5%."""
    if found is None:
        return Cell(""), Cell(""), Cell("")
    mark: Mark = "clear" if found.clear else ""
    shown = Cell(words.signed(found.mean), words.signed_bounds(found), mark)
    return shown, Cell(words.p_value(found.p)), Cell(words.p_value(found.p_holm), mark=mark)
