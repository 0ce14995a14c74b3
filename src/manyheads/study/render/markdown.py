"""table.md: the sections of a table in Markdown."""

from __future__ import annotations

from collections.abc import Iterator

from manyheads.study.render.sections import Cell, Section, sections
from manyheads.study.table import Table


def to_markdown(table: Table) -> str:
    """Return the content of table.md."""
    return "\n".join(_lines(table)) + "\n"


def _lines(table: Table) -> Iterator[str]:
    yield f"# {_plain(table.title)}"
    yield ""
    for text in (table.caption, table.setting):
        if text:
            yield _plain(text)
            yield ""
    for section in sections(table):
        yield from _section(section)
    yield "## Notes"
    yield ""
    for note in table.notes:
        yield f"- {_plain(note)}"
    if table.failures:
        yield ""
        yield "## Failed runs"
        yield ""
        for failure in table.failures:
            yield f"- {_plain(failure.row)}, seed {failure.seed}:"
            yield ""
            yield from (f"      {line}" for line in failure.message.strip().splitlines())


def _section(section: Section) -> Iterator[str]:
    yield f"## {_plain(section.title)}"
    yield ""
    yield "| " + " | ".join(_plain(column.title) for column in section.columns) + " |"
    yield "|" + "|".join("--:" if column.numeric else ":--" for column in section.columns) + "|"
    for row in section.rows:
        yield "| " + " | ".join(_cell(cell) for cell in row) + " |"
    yield ""
    if section.note:
        yield _plain(section.note)
        yield ""


def _cell(cell: Cell) -> str:
    text = _plain(cell.text)
    if cell.mark in ("best", "significant") and text:
        text = f"**{text}**"
    if not cell.detail:
        return text
    return f"{text} ({_plain(cell.detail)})" if cell.mark == "name" else f"{text} {_plain(cell.detail)}"


def _plain(text: str) -> str:
    """Escape the markup characters in a text, such as the name of a row."""
    for mark in "\\|*`<":
        text = text.replace(mark, f"\\{mark}")
    return text.replace("\n", " ")
