"""report.html: one self-contained page with all figures. It loads nothing from a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from manyheads.reports.blocks import Block, Heading, Picture
from manyheads.studies.render.html import Picture as Inline
from manyheads.studies.render.html import inline, template_of


def to_html(title: str, blocks: Sequence[Block], figures: Mapping[str, Mapping[str, bytes]]) -> str:
    """Render blocks as a page. `figures`: the files of each picture by extension, by the name of the picture."""
    drawn = {
        block.name: inline(Inline(block.name, block.title, block.alt, figures[block.name]["svg"].decode("utf-8")))
        for block in blocks
        if isinstance(block, Picture)
    }
    contents = [
        (f"part-{place}", block)
        for place, block in enumerate(blocks)
        if isinstance(block, Heading) and block.level == 2
    ]
    shown = [(type(block).__name__, block) for block in blocks]
    page = template_of("manyheads.reports.render", "report.html.jinja")
    return page.render(title=title, blocks=shown, drawn=drawn, contents=contents)
