"""Results as plain text, as HTML and as data frames, for a prompt and for a notebook. The HTML has no script."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

STYLE = "text-align:{};padding:2px 10px 2px 0"


def table_text(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Return a table as lines of text. `left`: the columns that are aligned on the left."""
    cells = [tuple(columns), *(tuple(row) for row in rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(columns))]
    lines = [
        "  ".join(
            cell.ljust(width) if place in left else cell.rjust(width)
            for place, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([title, *lines] if title else lines)


def table_html(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: Sequence[int] = (0,)) -> str:
    """Return a table as HTML. `left`: the columns that are aligned on the left."""

    def row(cells: Sequence[str], tag: str) -> str:
        styles = [STYLE.format("left" if place in left else "right") for place in range(len(cells))]
        parts = (f'<{tag} style="{style}">{_lines(cell)}</{tag}>' for style, cell in zip(styles, cells, strict=True))
        return f"<tr>{''.join(parts)}</tr>"

    caption = (
        f'<caption style="text-align:left;font-weight:bold;padding-top:10px">{escape(title)}</caption>' if title else ""
    )
    body = "".join(row(each, "td") for each in rows)
    return f"<table>{caption}<thead>{row(columns, 'th')}</thead><tbody>{body}</tbody></table>"


def paragraph(text: str) -> str:
    """Return a paragraph as HTML."""
    return f"<p>{_lines(text)}</p>"


def _lines(text: str) -> str:
    return escape(text).replace("\n", "<br>")


def data_frame(columns: Mapping[str, Sequence[Any]], index: Mapping[str, Sequence[Any]] | None = None) -> Any:
    """Return columns as a DataFrame of pandas where it is installed, otherwise of polars.

    `index`: the columns of an index. In a DataFrame of polars, they are its first columns.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError:
        import polars as pl

        own = {**(index or {}), **columns}
        return pl.DataFrame({name: pl.Series(cells, strict=False) for name, cells in own.items()})
    frame = pandas.DataFrame({name: list(cells) for name, cells in columns.items()})
    if index:
        frame.index = (
            pandas.Index(list(next(iter(index.values()))), name=_name(next(iter(index))))
            if len(index) == 1
            else pandas.MultiIndex.from_arrays([list(cells) for cells in index.values()], names=list(index))
        )
    return frame


def _name(name: str) -> str | None:
    """Return the name of an index. An index without a name is stored as "index"."""
    return None if name == "index" else name
