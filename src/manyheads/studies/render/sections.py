"""The sections of a table as cells of text.

Markdown, LaTeX, HTML, the terminal, prompts and notebooks render these sections.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Literal

from manyheads.pages.words import counted, p_value
from manyheads.shown import paragraph, table_html, table_text
from manyheads.studies.render import words
from manyheads.studies.selection import TITLES
from manyheads.studies.table import AcrossTasks, Difference, Interval, Power, Table, TableRow, TwinGain, verdict_of

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
    candidates = (
        _main(table),
        _by_task(table),
        _margins(table),
        _twins(table),
        _effects(table),
        _across(table),
        _epochs(table),
        _collapsed(table),
        _power(table),
    )
    return tuple(
        replace(section, columns=tuple(_titled(column, table) for column in section.columns))
        for section in candidates
        if section.rows
    )


def _titled(column: Column, table: Table) -> Column:
    """Return a column whose title says what its p values are."""
    return replace(column, title=words.p_title(column.title, table.looks))


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
    ]
    if table.compares:
        columns += [
            Column(f"difference in {metric_title(table)}{_mark(table, 'baseline')}"),
            Column("p", attached=True),
            Column("p (Holm)", attached=True),
            *_page_column(table, "baseline"),
            *((Column("result", numeric=False),) if table.metric in table.margins else ()),
            Column("among the best", numeric=False),
        ]
    rows = [tuple(_main_row(table, row)) for row in table.listed]
    return Section("Results", tuple(columns), tuple(rows))


def _main_row(table: Table, row: TableRow) -> Iterator[Cell]:
    yield Cell(row.name, _remark(table, row), "name")
    for factor in table.factors:
        yield Cell(words.level(row.levels.get(factor, "")))
    for task in table.tasks:
        yield interval_cell(row.figures.tasks.get(task.name))
    yield interval_cell(row.figures.average, "best" if row.may_be_best and table.compares else "")
    if table.has_course_score:
        yield interval_cell(row.figures.course_score)
    if not table.compares:
        return
    yield from difference_cells(row.difference)
    yield from _page_cells(table, "baseline", row.difference)
    if table.metric in table.margins:
        yield Cell(table.verdict(row) or "")
    yield Cell(words.TICK if row.may_be_best else "")


def _remark(table: Table, row: TableRow) -> str:
    parts = []
    if row.name == table.baseline and table.compares:
        parts.append("baseline")
    if row.same_as:
        parts.append(f"same runs as {row.same_as}")
    if row.collapsed:
        parts.append(words.collapses(row))
    if row.failed:
        parts.append(f"failed: {words.seed_list(row.failed)}")
    if row.missing:
        parts.append(f"not finished: {words.seed_list(row.missing)}")
    if row.provenance:
        parts.append(row.provenance)
    return "; ".join(parts)


def _by_task(table: Table) -> Section:
    columns = [Column("row", numeric=False)]
    for task in table.tasks:
        columns += [
            Column(f"{task.name} ({task.metric})"),
            Column("p (Holm)", attached=True),
            *_page_column(table, "tasks"),
        ]
    rows = []
    for row in table.listed:
        if any(difference is not None for difference in row.differences.values()):
            cells = [_name(row)]
            for task in table.tasks:
                difference, _, p_holm = difference_cells(row.differences.get(task.name))
                cells += [difference, p_holm, *_page_cells(table, "tasks", row.differences.get(task.name))]
            rows.append(tuple(cells))
    title = f"Differences from {table.baseline} by task{_mark(table, 'tasks')}"
    return Section(title, tuple(columns), tuple(rows) if len(table.tasks) > 1 else ())


def _margins(table: Table) -> Section:
    columns = (
        Column("row", numeric=False),
        Column("metric", numeric=False),
        Column("margin"),
        Column("difference, 90% interval"),
        Column("p not worse", attached=True),
        Column("p (Holm)", attached=True),
        Column("p (page)", attached=True),
        Column("p equivalent", attached=True),
        Column("p (Holm)", attached=True),
        Column("p (page)", attached=True),
        Column("not worse", numeric=False),
        Column("result", numeric=False),
    )
    rows = []
    for row in table.listed:
        for metric, test in row.margins.items():
            difference = row.difference if metric == table.metric else row.differences.get(metric)
            mark = " (exploratory)" if test.exploratory else ""
            bounds = Interval(test.mean, test.low, test.high)
            rows.append(
                (
                    _name(row),
                    Cell(metric.replace("_", " ") + mark),
                    Cell(f"{test.margin:g}"),
                    Cell(words.signed(test.mean), words.signed_bounds(bounds)),
                    Cell(p_value(test.p_not_worse)),
                    Cell(p_value(test.p_not_worse_holm), mark="significant" if test.not_worse else ""),
                    Cell(p_value(test.p_not_worse_page)),
                    Cell(p_value(test.p_equivalent)),
                    Cell(p_value(test.p_equivalent_holm), mark="significant" if test.equivalent else ""),
                    Cell(p_value(test.p_equivalent_page)),
                    Cell(words.TICK if test.not_worse else ""),
                    Cell(verdict_of(difference, test) or ""),
                )
            )
    return Section("Against the margin", columns, tuple(rows))


def _twins(table: Table) -> Section:
    columns = (
        Column("row", numeric=False),
        Column("task", numeric=False),
        Column("trained together"),
        Column("trained alone"),
        Column("gain"),
        Column("p", attached=True),
        Column("p (Holm)", attached=True),
        *_page_column(table, "twins"),
    )
    rows = [
        (
            Cell(twin.row, _twin_marks(table, twin), "name"),
            Cell(twin.task),
            interval_cell(twin.together),
            interval_cell(twin.alone),
            *difference_cells(twin.gain),
            *_page_cells(table, "twins", twin.gain),
        )
        for twin in table.twins
    ]
    note = (
        "Trained alone: the same recipe with this task only (the single-task twin). A positive gain means that "
        "multitask training improved the task."
    )
    return Section(f"Gains over single-task twins{_mark(table, 'twins')}", columns, tuple(rows), note)


def _twin_marks(table: Table, twin: TwinGain) -> str:
    """Return which of the rows of a comparison have collapsed seeds."""
    row, own = table.row(twin.row), table.row(twin.twin) if twin.twin is not None else None
    parts = [words.collapses(row)] if row.collapsed else []
    if own is not None and own.collapsed:
        parts.append(f"alone: {words.collapses(own)}")
    return "; ".join(parts)


def _effects(table: Table) -> Section:
    columns = (
        Column("factor", numeric=False),
        Column("kind", numeric=False),
        Column(f"effect on {metric_title(table)}"),
        Column("p", attached=True),
        Column("p (Holm)", attached=True),
        *_page_column(table, "effects"),
    )
    rows = [
        (
            Cell(effect.name, mark="name"),
            Cell(effect.kind),
            *difference_cells(effect.value),
            *_page_cells(table, "effects", effect.value),
        )
        for effect in table.effects
    ]
    marks = [f"{row.name} ({words.collapses(row)})" for row in table.listed if row.collapsed and row.same_as is None]
    note = (
        "Main effect: the effect of a level compared with the level of the baseline, in an additive model (least "
        "squares over the rows). Interaction: the difference of differences over rows that agree in all other factors."
        + (f" Without collapsed seeds: {', '.join(marks)}." if marks else "")
    )
    return Section(f"Effects of the factors{_mark(table, 'effects')}", columns, tuple(rows), note)


def _across(table: Table) -> Section:
    across = table.across_tasks
    columns = [
        Column("row", numeric=False),
        Column("better on at least"),
        Column("worse on at least"),
        Column("IQM"),
        Column("P(improvement)"),
        Column("mean rank"),
    ]
    if across is None:
        return Section("", tuple(columns), ())
    signed = any(row.p_wilcoxon is not None for row in across.rows)
    rows = [
        (
            _name(table.row(row.row)),
            Cell(_of_tasks(row.better_on, across), mark="significant" if row.better_on else ""),
            Cell(_of_tasks(row.worse_on, across), mark="significant" if row.worse_on else ""),
            interval_cell(row.iqm),
            interval_cell(row.improvement),
            Cell(f"{row.mean_rank:.2f}"),
            *((Cell(p_value(row.p_wilcoxon)),) if signed else ()),
        )
        for row in across.rows
    ]
    if signed:
        columns.append(Column("p (signed rank, Holm)", attached=True))
    title = f"Rows over {len(across.tasks)} tasks (exploratory)"
    return Section(title, tuple(columns), tuple(rows))


def _of_tasks(count: int | None, across: AcrossTasks) -> str:
    return "" if count is None else f"{count} of {len(across.tasks)}"


def _epochs(table: Table) -> Section:
    beside = [which for which in ("best", "last") if which != table.chosen]
    columns = (
        Column("row", numeric=False),
        Column(f"average, {TITLES[table.chosen]}"),
        *(Column(f"average, {TITLES[which]}") for which in beside),
        *((Column(f"optimism of the best epoch in {metric_title(table)}"),) if table.chosen != "best" else ()),
        *((Column("epochs of the halves"),) if table.chosen == "crossfit" else ()),
        Column("best epoch"),
        Column("last epoch"),
        Column("seeds"),
    )
    rows = []
    for row in table.listed:
        figures = {"best": row.best, "last": row.last}
        cells = [_name(row), interval_cell(row.figures.average)]
        cells += [interval_cell(figures[which].average) for which in beside]
        if table.chosen != "best":
            cells.append(Cell("" if row.optimism is None else words.signed(row.optimism)))
        if table.chosen == "crossfit":
            cells.append(Cell(words.epochs([epoch for pair in row.figures.half_epochs or () for epoch in pair or ()])))
        cells += [Cell(words.epochs(row.best.epochs)), Cell(words.epochs(row.last.epochs))]
        cells.append(Cell(words.seeds(row.seeds, len(table.seeds))))
        rows.append(tuple(cells))
    note = ""
    if table.chosen != "best":
        note = (
            f"Optimism: best epoch minus {TITLES[table.chosen]}. The best epoch is chosen and measured on the same dev "
            "examples."
        )
    return Section("Epochs and seeds", columns, tuple(rows), note)


def _collapsed(table: Table) -> Section:
    metric = metric_title(table)
    columns = (
        Column("row", numeric=False),
        Column("collapsed seeds", numeric=False),
        Column("share of collapsed seeds"),
        Column("p (Fisher)"),
        Column("p (Holm)", attached=True),
        Column(f"{metric}, sound seeds"),
        Column(f"{metric}, all seeds (no interval covers it)"),
    )
    rows = []
    for row in table.rows if table.has_collapses else ():
        found = row.collapses
        if found is None or row.same_as or (row.twin_of is not None and not row.collapsed):
            continue
        metric = table.metric if table.metric in found.plain else "average"
        rows.append(
            (
                _name(row),
                Cell(", ".join(map(str, found.seeds))),
                interval_cell(found.share),
                Cell(p_value(found.p)),
                Cell(p_value(found.p_holm)),
                interval_cell(row.figures.of(metric)),
                Cell(words.score(found.plain.get(metric))),
            )
        )
    note = (
        "The share has the interval of Wilson. p: Fisher's exact test against the share of the baseline, corrected "
        "over the rows. Means and tests of the other tables are over the sound seeds."
    )
    return Section("Collapsed seeds", columns, tuple(rows), note)


def _name(row: TableRow) -> Cell:
    """Return the name of a row, with its collapsed seeds."""
    return Cell(row.name, words.collapses(row), "name")


def _power(table: Table) -> Section:
    return power_section(table.power) if table.power is not None else Section("Power", (), ())


def power_section(power: Power) -> Section:
    """Return the power of a study by number of seeds, or the precision of a row if nothing is compared."""
    if not power.comparisons:
        return _precision(power)
    columns = (
        Column("seeds", numeric=False),
        Column("smallest difference with 80% power"),
        *(Column(f"power at {words.score(each)}") for each in power.differences),
    )
    rows = [
        (
            Cell(str(entry.seeds), mark="name"),
            Cell(words.detectable(entry.smallest), words.range_of(entry.low, entry.high)),
            *(Cell(words.share(value), words.share_range(low, high)) for value, low, high in entry.power),
        )
        for entry in power.by_seeds
    ]
    looks = " The numbers of seeds are the planned looks, and the power is that of a look and all looks before it."
    note = (
        "Power: the probability that a row that truly differs from the baseline by this much is found significant, "
        f"after Holm's correction over {counted(power.comparisons, 'comparison')}, if the other rows are equal to the "
        "baseline. The test of the table was simulated, with equal variances for all rows."
    ) + (looks if power.looks else "")
    if power.df is not None:
        note += " Brackets are 95% intervals, because the variances are estimated."
    return Section("Power by number of seeds", columns, tuple(rows), note)


def _precision(power: Power) -> Section:
    columns = (
        Column("seeds", numeric=False),
        Column("standard error"),
        Column("half the width of the 95% interval"),
    )
    rows = [
        (
            Cell(str(entry.seeds), mark="name"),
            Cell(words.detectable(entry.standard_error)),
            Cell(words.detectable(entry.half_width)),
        )
        for entry in power.precision
    ]
    note = (
        "The study has one row and no twins, so it compares nothing and has no power. The standard error is that of "
        "the mean of the row over its seeds, for other seeds and other examples. The table of the study shows the mean "
        "with an interval of about this width. Two seeds say little about the seed variance, so their interval is wide."
    )
    return Section("Precision by number of seeds", columns, tuple(rows), note)


def _mark(table: Table, family: str) -> str:
    """Return the mark of a family of tests that is not the primary one."""
    return "" if table.primary == family else " (exploratory)"


def _page_column(table: Table, family: str) -> tuple[Column, ...]:
    """Return the column of the page-wide correction, which exploratory families have in addition to their own."""
    return () if table.primary == family else (Column("p (page)", attached=True),)


def _page_cells(table: Table, family: str, difference: Difference | None) -> tuple[Cell, ...]:
    if table.primary == family:
        return ()
    return (Cell("" if difference is None else p_value(difference.p_page)),)


def interval_cell(interval: Interval | None, mark: Mark = "") -> Cell:
    """Return a mean with its interval below."""
    return Cell("") if interval is None else Cell(words.score(interval.mean), words.bounds(interval), mark)


def difference_cells(difference: Difference | None) -> tuple[Cell, Cell, Cell]:
    """Return a difference with its interval, its p value and its corrected p value. Significant ones are marked."""
    if difference is None:
        return Cell(""), Cell(""), Cell("")
    mark: Mark = "significant" if difference.significant else ""
    shown = Cell(words.signed(difference.mean), words.signed_bounds(difference), mark)
    return shown, Cell(p_value(difference.p)), Cell(p_value(difference.corrected), mark=mark)


def section_text(section: Section) -> str:
    """Return a section of a study as lines of text."""
    rows = [[f"{cell.text} {cell.detail}".strip() for cell in row] for row in section.rows]
    text = table_text(section.title, [column.title for column in section.columns], rows, _left(section))
    return f"{text}\n{section.note}" if section.note else text


def section_html(section: Section) -> str:
    """Return a section of a study as HTML."""
    rows = [[f"{cell.text}\n{cell.detail}".strip() for cell in row] for row in section.rows]
    table = table_html(section.title, [column.title for column in section.columns], rows, _left(section))
    return table + (paragraph(section.note) if section.note else "")


def _left(section: Section) -> list[int]:
    return [place for place, column in enumerate(section.columns) if not column.numeric]
