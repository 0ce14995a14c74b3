"""table.md: the sections of a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.studies.render.sections import Cell, Section, sections
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
