"""The sections of a table as documents.

table.md: in Markdown. table.html: one self-contained page with all sections and figures, which loads nothing from a
network. table.tex: as table environments, for which a document needs only `\\usepackage{booktabs}`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyheads.pages.render import Drawn, inline, template_of
from manyheads.studies.render.sections import Cell, Section, sections
from manyheads.studies.render.words import TICK
from manyheads.studies.table import Table
from manyheads.tasks.escape import markdown, markdown_block, visible


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
