"""The blocks of a page, and their form as HTML and as Markdown.

Blocks are headings, text, grids, figures, lists and code. A page is one self-contained file that loads nothing from a
network.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from manyheads.pages.figures import BLUE, GREEN, GREY, INK, ORANGE, PAPER, SERIES
from manyheads.tasks.written import markdown, markdown_block, visible


@dataclass(frozen=True)
class Heading:
    """A heading. `level`: 2 begins a section, 3 a subsection."""

    text: str
    level: int = 2


@dataclass(frozen=True)
class Text:
    """A paragraph. `soft`: an explanation in a lighter colour."""

    text: str
    soft: bool = False


@dataclass(frozen=True)
class Grid:
    """A table. `words`: the left-aligned columns (the first column always is). `long`: the columns that may wrap."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    words: frozenset[int] = field(default_factory=frozenset)
    long: frozenset[int] = field(default_factory=frozenset)


@dataclass(frozen=True)
class Picture:
    """A figure. `name`: its file name without extension. `alt`: its content in words."""

    name: str
    title: str
    alt: str


@dataclass(frozen=True)
class Items:
    """A list."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Code:
    """The verbatim text of a file."""

    title: str
    text: str


Block = Heading | Text | Grid | Picture | Items | Code


@dataclass(frozen=True)
class Drawn:
    """A figure with its drawing. `alt`: its content in words. `svg`: the text of its SVG file."""

    name: str
    title: str
    alt: str
    svg: str


def to_html(title: str, blocks: Sequence[Block], figures: Mapping[str, Mapping[str, bytes]]) -> str:
    """Render blocks as a page. `figures`: the files of each picture by extension, by the name of the picture."""
    drawn = {
        block.name: inline(Drawn(block.name, block.title, block.alt, figures[block.name]["svg"].decode("utf-8")))
        for block in blocks
        if isinstance(block, Picture)
    }
    contents = [
        (f"part-{place}", block)
        for place, block in enumerate(blocks)
        if isinstance(block, Heading) and block.level == 2
    ]
    shown = [(type(block).__name__, block) for block in blocks]
    page = template_of("manyheads.pages", "blocks.html.jinja")
    return page.render(title=title, blocks=shown, drawn=drawn, contents=contents)


def template_of(package: str, name: str) -> Template:
    """Return a template from the folder `templates` of a package. It may extend `page.html.jinja` of this package.

    All values are escaped.
    """
    environment = Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("manyheads.pages", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    return environment.get_template(name)


def inline(picture: Drawn) -> Markup:
    """Return the SVG of a figure for inclusion in a page. Colours follow the light or dark page, ids are unique."""
    body = picture.svg[picture.svg.index("<svg") :]
    body = re.sub(r"<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"<svg ([^>]*)>", _opening(picture), body, count=1)
    for mark in (' id="', "url(#", 'href="#'):
        body = body.replace(mark, f"{mark}{picture.name}-")
    for name, colour in _colours().items():
        body = re.sub(re.escape(colour), f"var(--{name})", body, flags=re.IGNORECASE)
    return Markup(body)


def _opening(picture: Drawn) -> str:
    alt = str(Markup.escape(picture.alt)).replace("\\", r"\\")
    return rf'<svg \1 role="img" aria-label="{alt}">'


def _colours() -> dict[str, str]:
    fixed = {"ink": INK, "paper": PAPER, "grey": GREY, "blue": BLUE, "orange": ORANGE, "green": GREEN}
    return {**fixed, **{f"series{number}": colour for number, colour in enumerate(SERIES)}}


FENCE = "```"


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Render blocks as Markdown. Figures are linked from the folder `figures` next to the file."""
    return "\n\n".join([f"# {markdown(title)}", *map(_block, blocks)]) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {markdown(block.text)}"
        case Text():
            return markdown_block(block.text)
        case Items():
            return "\n".join(f"- {markdown_block(item)}" for item in block.items)
        case Picture():
            return f"![{markdown(block.alt)}](figures/{block.name}.svg)"
        case Code():
            fence = FENCE
            while fence in block.text:
                fence += "`"
            return f"{markdown_block(block.title)}:\n\n{fence}toml\n{visible(block.text.rstrip())}\n{fence}"
        case Grid():
            lines = [
                _row(block.columns),
                "|" + "|".join(_align(block, place) for place in range(len(block.columns))) + "|",
            ]
            return f"{markdown_block(block.title)}:\n\n" + "\n".join([*lines, *map(_row, block.rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(markdown(cell) for cell in cells) + " |"


def _align(grid: Grid, place: int) -> str:
    return "---" if place == 0 or place in grid.words else "---:"
