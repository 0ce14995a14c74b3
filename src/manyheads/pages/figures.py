"""Style and files of figures: colours for colour-blind readers, and reproducible bytes."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

# The palette of Okabe and Ito with darker yellows for white paper. INK and PAPER are not pure black and white, so that
# a page can recognise and replace them with its own colours.
BLUE, ORANGE, GREEN = "#0072b2", "#d55e00", "#009e73"
INK, PAPER, GREY = "#1b1b1b", "#fefefe", "#9a9a9a"
SERIES = ("#0072b3", "#d55e01", "#009e74", "#cc79a7", "#b8860b", "#56b4e9")

WIDTH = 7.2
"""Inches: the width of the text column of a page."""

SETTINGS: dict[Any, Any] = {
    "font.size": 8.5,
    "font.family": "sans-serif",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.facecolor": "none",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.7,
    "figure.facecolor": PAPER,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.7,
    "ytick.major.width": 0.7,
    "legend.frameon": False,
    "svg.fonttype": "none",
    # A dollar sign in a name or label is a dollar sign.
    "text.parse_math": False,
}


def figure_files(name: str, title: str, draw: Callable[[], Figure]) -> dict[str, bytes]:
    """Draw a figure and return its files by extension, "svg" and "png", with reproducible bytes."""
    with mpl.rc_context({**SETTINGS, "svg.hashsalt": f"manyheads-{name}"}):
        figure = draw()
        FigureCanvasAgg(figure)
        # With an engine, each file would be laid out and drawn twice. A layout takes as long as a drawing.
        figure.draw_without_rendering()
        figure.set_layout_engine(None)
        svg, png = io.BytesIO(), io.BytesIO()
        figure.savefig(svg, format="svg", metadata={"Date": None, "Title": title})
        figure.savefig(png, format="png", dpi=160, metadata={"Software": None})
    return {"svg": svg.getvalue(), "png": png.getvalue()}


class NotebookFigure(Figure):
    """A figure that a notebook shows, also if pyplot was not imported."""

    def _repr_png_(self) -> bytes:
        content = io.BytesIO()
        with mpl.rc_context(SETTINGS):
            self.savefig(content, format="png", dpi=110)
        return content.getvalue()


def canvas(height: float) -> Figure:
    """Return an empty figure of the common width."""
    return NotebookFigure(figsize=(WIDTH, height), layout="constrained")


def light_grid(axes: Axes, axis: str) -> None:
    """Draw a thin grid behind the data along one axis, "x" or "y"."""
    axes.set_axisbelow(True)
    axes.grid(visible=True, axis="x" if axis == "x" else "y", color=GREY, alpha=0.3, linewidth=0.5)


def draw_interval(
    axes: Axes,
    place: float,
    mean: float,
    ends: tuple[float, float] | None,
    colour: str,
    text: str,
    *,
    fill: bool,
) -> None:
    """Draw a number with its interval as a horizontal line, and the number as text to the right of the axes."""
    if ends is not None:
        axes.plot(list(ends), [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
    own = colour if fill else "none"
    axes.plot([mean], [place], marker="o", markersize=4.5, color=colour, markerfacecolor=own)
    shown = text.replace("-", "\N{MINUS SIGN}")
    right = ("axes fraction", "data")
    axes.annotate(shown, (1.01, place), xycoords=right, va="center", annotation_clip=False)


def name_lines(axes: Axes, names: Sequence[str]) -> None:
    """Name the lines of `draw_interval`, which are at the places 0, 1, 2 from the top."""
    axes.set_yticks(range(len(names)), list(names))
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    light_grid(axes, "x")


def shortened(name: str, most: int = 46) -> str:
    """Return the name of a row for a figure. Long names are shortened in the middle."""
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[:half]}…{name[-half:]}"


def label_of(row: str) -> str:
    """Return the name of a row in a legend."""
    return shortened(row, 70)


def legend_below(figure: Figure, axes: Axes, rows: Sequence[str]) -> None:
    """Draw the legend of these rows below the figure, in their order. Rows without a line are left out."""
    handles, labels = axes.get_legend_handles_labels()
    order = [labels.index(label_of(row)) for row in rows if label_of(row) in labels]
    figure.legend(
        [handles[place] for place in order],
        [labels[place] for place in order],
        loc="outside lower left",
        ncols=1,
        fontsize=7.5,
    )
