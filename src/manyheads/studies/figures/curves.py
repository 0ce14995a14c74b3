"""Learning curves: dev metrics by epoch, the mean of each row and the range over its seeds."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from manyheads.pages.figures import GREY, INK, SERIES, canvas, label_of, legend_below, light_grid
from manyheads.studies.figures.drawing import Drawing
from manyheads.studies.render import words
from manyheads.studies.table import RowCurve, Table

SHOWN = len(SERIES) - 1
"""Number of coloured rows in addition to the baseline. More colours would be hard to distinguish."""


def describe(table: Table) -> str | None:
    """Return the last values of the highlighted curves in words."""
    by_row = {curve.row: curve for curve in table.curves if curve.column == "average"}
    ends = {name: curve.mean[-1] for name, curve in by_row.items() if curve.mean}
    parts = [f"{name} ends at {words.score(ends[name])}" for name in highlighted(table) if ends.get(name) is not None]
    if not parts:
        return None
    return f"Dev average by epoch (mean and range over seeds) of the baseline and the best rows: {'; '.join(parts)}."


def highlighted(table: Table) -> list[str]:
    """Return the baseline, then the rows with the highest values."""
    drawn = {curve.row for curve in table.curves}
    candidates = []
    for row in table.listed:
        value = row.figures.of(table.metric)
        if row.name in drawn and row.name != table.baseline and value is not None:
            candidates.append((-value.mean, row.name))
    baseline = [table.baseline] if table.baseline in drawn else []
    return baseline + [name for _, name in sorted(candidates)[:SHOWN]]


def draw(table: Table) -> Figure:
    """Draw one panel for the average and one for each task. Rows that are not highlighted are thin and grey."""
    columns = list(dict.fromkeys(curve.column for curve in table.curves))
    metrics = {task.name: f"{task.name} ({task.metric})" for task in table.tasks}
    chosen = highlighted(table)
    across = min(2, len(columns))
    down = -(-len(columns) // across)
    figure = canvas(0.5 + 2.2 * down + 0.17 * len(chosen))
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, column in zip(panels, columns, strict=False):
        for curve in table.curves:
            if curve.column == column:
                _line(axes, curve, chosen)
        axes.set_title(metrics.get(column, column), loc="left", fontsize=8.5)
        axes.set_xlabel("epoch")
        light_grid(axes, "y")
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[len(columns) :]:
        axes.set_visible(False)
    legend_below(figure, panels[0], chosen)
    return figure


def _line(axes: Axes, curve: RowCurve, chosen: list[str]) -> None:
    epochs, mean = np.array(curve.epochs), _numbers(curve.mean)
    colour = (
        GREY if curve.row not in chosen else (INK if curve.row == chosen[0] else SERIES[chosen.index(curve.row) - 1])
    )
    points = [(epoch, value) for epoch, values in zip(curve.epochs, curve.points, strict=True) for value in values]
    if points:
        at, values = zip(*points, strict=True)
        axes.plot(at, _numbers(values), ".", color=colour, markersize=2.5, alpha=0.4, zorder=1)
    if curve.row not in chosen:
        axes.plot(epochs, mean, color=GREY, linewidth=0.7, alpha=0.7, zorder=1)
        return
    place = chosen.index(curve.row)
    style = "--" if place == 0 else "-"
    axes.plot(epochs, mean, style, color=colour, linewidth=1.5, marker=".", markersize=5, label=label_of(curve.row))
    axes.fill_between(epochs, _numbers(curve.low), _numbers(curve.high), color=colour, alpha=0.13, linewidth=0)


def _numbers(values: tuple[float | None, ...]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values])


CURVES = Drawing(
    "Dev metrics by epoch. Lines: mean over seeds. Bands: lowest to highest seed. Dashed: the baseline. Coloured: the "
    "rows with the highest values. Grey: the other rows. Small points: single seeds, collapsed ones included.",
    describe,
    draw,
)
