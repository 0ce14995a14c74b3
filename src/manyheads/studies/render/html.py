"""table.html: one self-contained page with all sections and figures. It loads nothing from a network."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.pages.render import Drawn, inline, template_of
from manyheads.studies.render.sections import sections
from manyheads.studies.render.words import TICK
from manyheads.studies.table import Table


def to_html(table: Table, pictures: Sequence[Drawn] = ()) -> str:
    """Return the content of table.html."""
    shown = [(picture, inline(picture)) for picture in pictures]
    page = template_of("manyheads.studies.render", "table.html.jinja")
    return page.render(table=table, sections=sections(table), pictures=shown, tick=TICK)
