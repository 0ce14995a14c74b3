"""The formats of a table: its sections as documents for readers, and its numbers for other programs."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields
from typing import Any

from manyheads.pages.render import Drawn, inline, template_of
from manyheads.studies.render import words
from manyheads.studies.render.sections import Cell, Section, sections
from manyheads.studies.render.words import TICK
from manyheads.studies.table import Difference, Figures, Interval, MarginTest, Table, TableRow, rounded_p
from manyheads.tasks.written import markdown, markdown_block, visible, without_formula


def to_markdown(table: Table) -> str:
    """Return the content of table.md."""
    return "\n".join(_lines(table)) + "\n"


def _lines(table: Table) -> Iterator[str]:
    yield f"# {markdown(table.title)}"
    yield ""
    for text in (table.caption, table.setting):
        if text:
            yield markdown_block(text)
            yield ""
    for section in sections(table):
        yield from _section(section)
    yield "## Notes"
    yield ""
    for note in table.notes:
        yield f"- {markdown_block(note)}"
    if table.failures:
        yield ""
        yield "## Failed runs"
        yield ""
        for failure in table.failures:
            yield f"- {markdown_block(failure.row)}, seed {failure.seed}:"
            yield ""
            yield from (f"      {line}" for line in visible(failure.message).strip().splitlines())


def _section(section: Section) -> Iterator[str]:
    yield f"## {markdown(section.title)}"
    yield ""
    yield "| " + " | ".join(markdown(column.title) for column in section.columns) + " |"
    yield "|" + "|".join("--:" if column.numeric else ":--" for column in section.columns) + "|"
    for row in section.rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"
    yield ""
    if section.note:
        yield markdown_block(section.note)
        yield ""


def _cell(cell: Cell) -> str:
    text = markdown(cell.text)
    if cell.mark in ("best", "significant") and text:
        text = f"**{text}**"
    if not cell.detail:
        return text
    return f"{text} ({markdown(cell.detail)})" if cell.mark == "name" else f"{text} {markdown(cell.detail)}"


def to_html(table: Table, pictures: Sequence[Drawn] = ()) -> str:
    """Return the content of table.html."""
    shown = [(picture, inline(picture)) for picture in pictures]
    page = template_of("manyheads.studies.render", "table.html.jinja")
    return page.render(table=table, sections=sections(table), pictures=shown, tick=TICK)


ESCAPES = {
    "\\": r"\textbackslash{}",
    "&": r"\&",
    "%": r"\%",
    "$": r"\$",
    "#": r"\#",
    "_": r"\_",
    "{": r"\{",
    "}": r"\}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"$<$",
    ">": r"$>$",
    "|": r"$|$",
    '"': "''",
    # After a line break, a bracket would begin a length and a star would forbid a page break.
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
}


def to_latex(table: Table) -> str:
    """Return the content of table.tex."""
    return "\n".join(_tex_lines(table)) + "\n"


def escape(text: str) -> str:
    """Escape the special characters of LaTeX in a text."""
    return "".join(ESCAPES.get(character, character) for character in visible(text)).replace("\n", " ")


def _tex_lines(table: Table) -> Iterator[str]:
    yield r"% Needs \usepackage{booktabs}. The tables are wide: rotate them, or remove columns."
    for number, section in enumerate(sections(table)):
        caption = f"{table.title}: {section.title[0].lower()}{section.title[1:]}."
        if number == 0:
            caption = " ".join(text for text in (f"{table.title}.", table.caption, table.setting, *table.notes) if text)
        else:
            caption = f"{caption} {section.note}".strip()
        yield from _tex_section(section, escape(caption), f"tab:study-{number + 1}")


def _tex_section(section: Section, caption: str, label: str) -> Iterator[str]:
    yield r"\begin{table*}"
    yield r"\centering\scriptsize\setlength{\tabcolsep}{3pt}"
    yield rf"\caption{{{caption}}}"
    yield rf"\label{{{label}}}"
    yield rf"\begin{{tabular}}{{@{{}}{''.join('r' if column.numeric else 'l' for column in section.columns)}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(_stacked(escape(column.title)) for column in section.columns) + r" \\"
    yield r"\midrule"
    for row in section.rows:
        yield " & ".join(_tex_cell(cell) for cell in row) + r" \\[2pt]"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table*}"


def _stacked(title: str) -> str:
    """Return a column title with its words below each other."""
    lines = title.replace(" ", r" \\ ")
    return title if lines == title else rf"\shortstack{{{lines}}}"


def _tex_cell(cell: Cell) -> str:
    if cell.mark == "name":
        return _below(escape(cell.text), escape(cell.detail), "l")
    text = r"$\times$" if cell.text == TICK else _signed(escape(cell.text))
    if cell.mark in ("best", "significant") and text:
        text = rf"\textbf{{{text}}}"
    return _below(text, _signed(escape(cell.detail)), "r")


def _below(text: str, detail: str, align: str) -> str:
    return rf"\shortstack[{align}]{{{text} \\ {{\tiny {detail}}}}}" if detail else text


def _signed(text: str) -> str:
    """Typeset the minus sign of numbers as mathematics. Hyphens in names do not change."""
    return text.replace("-.", "$-$.")


def to_json(table: Table) -> str:
    """Return the content of table.json."""
    return json.dumps(content_of(table), indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def content_of(table: Table) -> dict[str, Any]:
    """Return the table as plain values."""
    return {
        "title": table.title,
        "caption": table.caption,
        "setting": table.setting,
        "metric": table.metric,
        "select": table.select,
        "chosen": table.chosen,
        "baseline": table.baseline,
        "primary": table.primary,
        "margins": dict(table.margins),
        "seeds": list(table.seeds),
        "factors": list(table.factors),
        "tasks": [asdict(task) for task in table.tasks],
        "rows": [_row(table, row) for row in table.rows],
        "twins": [asdict(twin) for twin in table.twins],
        "effects": [asdict(effect) for effect in table.effects],
        "across_tasks": None if table.across_tasks is None else asdict(table.across_tasks),
        "aliases": list(table.aliases),
        "smallest_difference": table.smallest_difference,
        "power": None if table.power is None else asdict(table.power),
        "looks": None if table.looks is None else asdict(table.looks),
        "lack_of_fit": None
        if table.lack_of_fit is None
        else {"df": table.lack_of_fit.df, "p": rounded_p(table.lack_of_fit.p)},
        "notes": list(table.notes),
        "failures": [asdict(failure) for failure in table.failures],
        "curves": [asdict(curve) for curve in table.curves],
        "timings": [asdict(timing) for timing in table.timings],
    }


def _row(table: Table, row: TableRow) -> dict[str, Any]:
    """Return a row: the figures of the selection as its own keys, others under `best` and `last`."""
    return {
        "name": row.name,
        "same_as": row.same_as,
        "twin_of": None if row.twin_of is None else {"row": row.twin_of[0], "task": row.twin_of[1]},
        "levels": dict(row.levels),
        "provenance": row.provenance,
        "seeds": list(row.seeds),
        "failed": list(row.failed),
        "missing": list(row.missing),
        "chosen": table.chosen,
        **_figures(row.figures),
        "difference": None if row.difference is None else asdict(row.difference),
        "differences": {task: None if value is None else asdict(value) for task, value in row.differences.items()},
        "may_be_best": row.may_be_best,
        "optimism": row.optimism,
        "best": _figures(row.best),
        "margins": {metric: asdict(test) for metric, test in row.margins.items()},
        "verdict": table.verdict(row),
        "last": _figures(row.last),
        "points": {metric: list(values) for metric, values in row.points.items()},
        "collapses": None if row.collapses is None else asdict(row.collapses),
    }


def _figures(figures: Figures) -> dict[str, Any]:
    return {
        "tasks": {task: None if value is None else asdict(value) for task, value in figures.tasks.items()},
        "average": None if figures.average is None else asdict(figures.average),
        "course_score": None if figures.course_score is None else asdict(figures.course_score),
        "epochs": list(figures.epochs),
        "half_epochs": None
        if figures.half_epochs is None
        else [None if pair is None else list(pair) for pair in figures.half_epochs],
    }


FIGURES = ("mean", "low", "high")

TESTED = (*FIGURES, "p", "p_holm", "p_looks", "p_page", "exploratory")

AGAINST = tuple(field.name for field in fields(MarginTest))


def to_csv(table: Table) -> str:
    """Return the content of table.csv."""
    text = io.StringIO()
    lines = [{without_formula(name): _csv_cell(cell) for name, cell in _flat(table, row)} for row in table.rows]
    writer = csv.DictWriter(text, list(lines[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return text.getvalue()


def _csv_cell(cell: object) -> object:
    return without_formula(cell) if isinstance(cell, str) else cell


def _flat(table: Table, row: TableRow) -> Iterator[tuple[str, object]]:
    yield "row", row.name
    yield "same_as", row.same_as
    yield "twin_of", None if row.twin_of is None else row.twin_of[0]
    for factor in table.factors:
        yield f"factor.{factor}", row.levels.get(factor, "")
    yield "seeds", len(row.seeds)
    yield "failed", len(row.failed)
    yield "missing", len(row.missing)
    yield "collapsed", len(row.collapsed)
    yield "chosen", table.chosen
    for which, figures in (("chosen", row.figures), ("best", row.best), ("last", row.last)):
        yield from _flat_figures(table, which, figures)
    yield from _numbers("difference", row.difference, TESTED)
    for task in table.tasks:
        yield from _numbers(f"difference.{task.name}", row.differences.get(task.name), TESTED)
    yield "optimism", row.optimism
    collapses = row.collapses
    for name in FIGURES:
        yield f"collapsed.share.{name}", None if collapses is None else getattr(collapses.share, name)
    for name in ("p", "p_holm"):
        yield f"collapsed.{name}", None if collapses is None else getattr(collapses, name)
    plain = {} if collapses is None else collapses.plain
    for metric in ("average", "course_score", *(task.name for task in table.tasks)):
        yield f"all_seeds.{metric}.mean", plain.get(metric)
    yield "p_values", words.p_values(table.looks)
    yield "may_be_best", None if row.may_be_best is None else str(row.may_be_best).lower()
    for metric in table.margins:
        yield from _numbers(f"margin.{metric}", row.margins.get(metric), AGAINST)
    yield "verdict", table.verdict(row)
    if table.across_tasks is not None:
        across = next((each for each in table.across_tasks.rows if each.row == (row.same_as or row.name)), None)
        for name in ("better_on", "worse_on", "mean_rank", "p_wilcoxon"):
            yield f"across_tasks.{name}", None if across is None else getattr(across, name)
        for name in ("iqm", "improvement"):
            yield from _numbers(f"across_tasks.{name}", None if across is None else getattr(across, name), FIGURES)
    yield "provenance", row.provenance


def _flat_figures(table: Table, which: str, figures: Figures) -> Iterator[tuple[str, object]]:
    for task in table.tasks:
        yield from _numbers(f"{which}.{task.name}.{task.metric}", figures.tasks.get(task.name), FIGURES)
    yield from _numbers(f"{which}.average", figures.average, FIGURES)
    yield from _numbers(f"{which}.course_score", figures.course_score, FIGURES)
    yield f"{which}.epochs", " ".join("" if epoch is None else f"{epoch:g}" for epoch in figures.epochs)


def _numbers(
    prefix: str, numbers: Interval | Difference | MarginTest | None, names: tuple[str, ...]
) -> Iterator[tuple[str, object]]:
    for name in names:
        value = None if numbers is None else getattr(numbers, name)
        yield f"{prefix}.{name}", str(value).lower() if isinstance(value, bool) else value
