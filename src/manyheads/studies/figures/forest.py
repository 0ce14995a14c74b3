"""Forest plot: the difference of each row from the baseline with its interval."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manyheads.studies.figures.seeds import LEGEND, SeedPoint, differences_by_seed, draw_seeds
from manyheads.studies.figures.style import BLUE, GREY, INK, ORANGE, Drawing, canvas, light_grid, shortened
from manyheads.studies.render import words
from manyheads.studies.table import Difference, Table

HEIGHT = 0.24
"""Inches per row."""


def _differences(table: Table) -> list[tuple[str, Difference]]:
    return [(row.name, row.difference) for row in table.listed if row.difference is not None and row.same_as is None]


def describe(table: Table) -> str | None:
    """Return the differences in words."""
    differences = _differences(table)
    if not differences:
        return None
    parts = [
        f"{name} {words.signed(difference.mean)} {words.signed_bounds(difference)}".rstrip()
        + (", significant after correction" if difference.significant else "")
        for name, difference in differences
    ]
    exploratory = "" if table.primary == "baseline" else " (exploratory)"
    what = f"Differences from {table.baseline} in {table.metric}{exploratory}"
    return f"{what}, with 95% confidence intervals: {'; '.join(parts)}."


def draw(table: Table) -> Figure:
    """Draw the rows in the order of the table. The baseline is the line at zero."""
    differences = _differences(table)
    figure = canvas(0.9 + HEIGHT * len(differences))
    axes = figure.add_subplot()
    points = [
        differences_by_seed(table.row(name), [(table.row(table.baseline), table.metric)], table.metric)
        for name, _ in differences
    ]
    intervals(axes, [(shortened(name), difference) for name, difference in differences], points)
    metric = table.metric.replace("_", " ")
    kind = "95% confidence interval" if table.primary == "baseline" else "exploratory, 95% confidence interval"
    axes.set_xlabel(f"difference from {shortened(table.baseline)} in {metric} ({kind})")
    return figure


def intervals(axes: Axes, differences: list[tuple[str, Difference]], points: Sequence[Sequence[SeedPoint]]) -> None:
    """Draw one difference per line, from the top. Significant ones (after correction) are filled and coloured.

    `points`: the single seeds of each difference, which are drawn below its interval.
    """
    axes.axvline(0, color=INK, linewidth=0.8)
    for place, ((_, difference), seeds) in enumerate(zip(differences, points, strict=True)):
        draw_seeds(axes, [(each.value, place + 0.25, each.collapsed) for each in seeds], GREY)
        colour = GREY if not difference.significant else (BLUE if difference.mean > 0 else ORANGE)
        if difference.low is not None and difference.high is not None:
            ends = [difference.low, difference.high]
            axes.plot(ends, [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        fill = colour if difference.significant else "none"
        axes.plot([difference.mean], [place], marker="o", markersize=4.5, color=colour, markerfacecolor=fill)
        axes.annotate(
            words.signed(difference.mean).replace("-", "\N{MINUS SIGN}"),
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks(range(len(differences)), [name for name, _ in differences])
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    light_grid(axes, "x")


FOREST = Drawing(
    "Paired differences from the baseline with 95% confidence intervals. Filled: significant at 5% after Holm's "
    "correction (blue: better, orange: worse). Hollow: not significant. " + LEGEND,
    describe,
    draw,
)
