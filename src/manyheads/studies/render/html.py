"""table.html: one self-contained page with all sections and figures. It loads nothing from a network."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from manyheads.studies.figures.style import BLUE, GREEN, GREY, INK, ORANGE, PAPER, SERIES
from manyheads.studies.render.sections import sections
from manyheads.studies.render.words import TICK
from manyheads.studies.table import Table


@dataclass(frozen=True)
class Picture:
    """A figure of the page. `alt`: its content in words. `svg`: the text of its SVG file."""

    name: str
    title: str
    alt: str
    svg: str


def to_html(table: Table, pictures: Sequence[Picture] = ()) -> str:
    """Return the content of table.html."""
    shown = [(picture, inline(picture)) for picture in pictures]
    page = template_of("manyheads.studies.render", "table.html.jinja")
    return page.render(table=table, sections=sections(table), pictures=shown, tick=TICK)


def template_of(package: str, name: str) -> Template:
    """Return a template from the folder `templates` of a package. All values are escaped."""
    environment = Environment(
        loader=PackageLoader(package, "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def inline(picture: Picture) -> Markup:
    """Return the SVG of a figure for inclusion in a page. Colours follow the light or dark page, ids are unique."""
    body = picture.svg[picture.svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<svg ([^>]*)>", _opening(picture), body, count=1)
    for mark in (' id="', "url(#", 'href="#'):
        body = body.replace(mark, f"{mark}{picture.name}-")
    for name, colour in _colours().items():
        body = re.sub(re.escape(colour), f"var(--{name})", body, flags=re.IGNORECASE)
    return Markup(body)


def _opening(picture: Picture) -> str:
    alt = str(Markup.escape(picture.alt)).replace("\\", r"\\")
    return rf'<svg \1 role="img" aria-label="{alt}">'


def _colours() -> dict[str, str]:
    fixed = {"ink": INK, "paper": PAPER, "grey": GREY, "blue": BLUE, "orange": ORANGE, "green": GREEN}
    return {**fixed, **{f"series{number}": colour for number, colour in enumerate(SERIES)}}
