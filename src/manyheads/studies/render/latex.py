"""table.tex: the sections of a table as table environments. The document needs only `\\usepackage{booktabs}`."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.studies.render.sections import Cell, Section, sections
from manyheads.studies.render.words import TICK
from manyheads.studies.table import Table
from manyheads.tasks.escape import visible

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
    return "\n".join(_lines(table)) + "\n"


def escape(text: str) -> str:
    """Escape the special characters of LaTeX in a text."""
    return "".join(ESCAPES.get(character, character) for character in visible(text)).replace("\n", " ")


def _lines(table: Table) -> Iterator[str]:
    yield r"% Needs \usepackage{booktabs}. The tables are wide: rotate them, or remove columns."
    for number, section in enumerate(sections(table)):
        caption = f"{table.title}: {section.title[0].lower()}{section.title[1:]}."
        if number == 0:
            caption = " ".join(text for text in (f"{table.title}.", table.caption, table.setting, *table.notes) if text)
        else:
            caption = f"{caption} {section.note}".strip()
        yield from _section(section, escape(caption), f"tab:study-{number + 1}")


def _section(section: Section, caption: str, label: str) -> Iterator[str]:
    yield r"\begin{table*}"
    yield r"\centering\scriptsize\setlength{\tabcolsep}{3pt}"
    yield rf"\caption{{{caption}}}"
    yield rf"\label{{{label}}}"
    yield rf"\begin{{tabular}}{{@{{}}{''.join('r' if column.numeric else 'l' for column in section.columns)}@{{}}}}"
    yield r"\toprule"
    yield " & ".join(_stacked(escape(column.title)) for column in section.columns) + r" \\"
    yield r"\midrule"
    for row in section.rows:
        yield " & ".join(_cell(cell) for cell in row) + r" \\[2pt]"
    yield r"\bottomrule"
    yield r"\end{tabular}"
    yield r"\end{table*}"


def _stacked(title: str) -> str:
    """Return a column title with its words below each other."""
    lines = title.replace(" ", r" \\ ")
    return title if lines == title else rf"\shortstack{{{lines}}}"


def _cell(cell: Cell) -> str:
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
