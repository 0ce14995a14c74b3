"""Sections of a study as plain text and as HTML, for a prompt of Python and for a notebook."""

from __future__ import annotations

from manyheads.shown import paragraph, table_html, table_text
from manyheads.studies.render.sections import Section


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
