"""report.md: a report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.reports.blocks import Block, Code, Grid, Heading, Items, Picture, Text
from manyheads.tasks.escape import markdown, markdown_block, visible

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
