"""The forest plot: each row's difference from the baseline with its interval."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manyheads.study.figures.style import BLUE, GREY, INK, ORANGE, Drawing, canvas, light_grid, shortened
from manyheads.study.render import words
from manyheads.study.table import Difference, Table

HEIGHT = 0.24
"""Inches a row."""


def _found(table: Table) -> list[tuple[str, Difference]]:
    return [(row.name, row.difference) for row in table.listed if row.difference is not None and row.same_as is None]


def describe(table: Table) -> str | None:
    """The differences in words."""
    found = _found(table)
    if not found:
        return None
    parts = [
        f"{name} {words.signed(difference.mean)} {words.signed_bounds(difference)}"
        + (", significant after correction" if difference.clear else "")
        for name, difference in found
    ]
    return f"Differences from {table.baseline} in {table.metric}, with 95% intervals: {'; '.join(parts)}."


def draw(table: Table) -> Figure:
    """Rows in the table's order, the baseline as a line at zero."""
    found = _found(table)
    figure = canvas(0.9 + HEIGHT * len(found))
    axes = figure.add_subplot()
    intervals(axes, [(shortened(name), difference) for name, difference in found])
    axes.set_xlabel(f"difference from {shortened(table.baseline)} in {table.metric.replace('_', ' ')} (95% interval)")
    return figure


def intervals(axes: Axes, found: list[tuple[str, Difference]]) -> None:
    """One difference a line, from the top: filled and coloured where it is significant after correction."""
    axes.axvline(0, color=INK, linewidth=0.8)
    for place, (_, difference) in enumerate(found):
        colour = GREY if not difference.clear else (BLUE if difference.mean > 0 else ORANGE)
        axes.plot([difference.low, difference.high], [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        fill = colour if difference.clear else "none"
        axes.plot([difference.mean], [place], marker="o", markersize=4.5, color=colour, markerfacecolor=fill)
        axes.annotate(
            words.signed(difference.mean).replace("-", "\N{MINUS SIGN}"),
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks(range(len(found)), [name for name, _ in found])
    axes.set_ylim(len(found) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    light_grid(axes, "x")


FOREST = Drawing(
    "Differences from the baseline with 95% intervals. Filled: significant at 5% after Holm's correction; blue better, "
    "orange worse.",
    describe,
    draw,
)
