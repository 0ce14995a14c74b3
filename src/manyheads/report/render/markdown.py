"""report.md: a report in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.report.blocks import Block, Code, Grid, Heading, Items, Picture, Text

FENCE = "```"


def to_markdown(title: str, blocks: Sequence[Block]) -> str:
    """Render blocks as Markdown. Figures are linked from the folder `figures` next to the file."""
    return "\n\n".join([f"# {_plain(title)}", *map(_block, blocks)]) + "\n"


def _block(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {_plain(block.text)}"
        case Text():
            return block.text
        case Items():
            return "\n".join(f"- {_plain(item)}" for item in block.items)
        case Picture():
            return f"![{_plain(block.alt)}](figures/{block.name}.svg)"
        case Code():
            fence = FENCE
            while fence in block.text:
                fence += "`"
            return f"{block.title}:\n\n{fence}toml\n{block.text.rstrip()}\n{fence}"
        case Grid():
            lines = [
                _row(block.columns),
                "|" + "|".join(_align(block, place) for place in range(len(block.columns))) + "|",
            ]
            return f"{block.title}:\n\n" + "\n".join([*lines, *map(_row, block.rows)])


def _row(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_plain(cell) for cell in cells) + " |"


def _align(grid: Grid, place: int) -> str:
    return "---" if place == 0 or place in grid.words else "---:"


def _plain(text: str) -> str:
    """Escape markup characters and line breaks in a text."""
    escaped = "".join(f"\\{sign}" if sign in "\\|<>*_`[]" else sign for sign in text)
    return " ".join(escaped.split())
