"""Metric against training time, with the Pareto front."""

from __future__ import annotations

from matplotlib.figure import Figure

from manyheads.pages.figures import BLUE, GREY, canvas, light_grid, shortened
from manyheads.studies.figures.drawing import LEGEND, Drawing, draw_seeds, values_by_seed
from manyheads.studies.render import words
from manyheads.studies.table import Interval, Table


def _points(table: Table) -> list[tuple[float, Interval, str]]:
    """Return (seconds, value, row) of every row with times and a value, the fastest first."""
    seconds = {timing.row: timing.mean for timing in table.timings}
    points = []
    for row in table.listed:
        value = row.figures.of(table.metric)
        if row.name in seconds and value is not None:
            points.append((seconds[row.name], value, row.name))
    return sorted(points, key=lambda entry: (entry[0], entry[2]))


def front(points: list[tuple[float, Interval, str]]) -> list[tuple[float, Interval, str]]:
    """Return the points whose value no faster point reaches."""
    kept: list[tuple[float, Interval, str]] = []
    for entry in points:
        if not kept or entry[1].mean > kept[-1][1].mean:
            kept.append(entry)
    return kept


def describe(table: Table) -> str | None:
    """Return the Pareto front in words."""
    points = _points(table)
    if len(points) < 2:
        return None
    parts = [f"{name}: {words.score(value.mean)} in {seconds:.0f} s" for seconds, value, name in front(points)]
    metric = table.metric.replace("_", " ")
    return f"{table.measured_on.capitalize()} {metric} against training time. Pareto front: {'; '.join(parts)}."


def draw(table: Table) -> Figure:
    """Draw every row as a point with its interval. The rows on the Pareto front are numbered and named."""
    points = _points(table)
    best = front(points)
    figure = canvas(3.8 + 0.15 * len(best))
    axes = figure.add_subplot()
    times = {timing.row: timing.points for timing in table.timings}
    for seconds, value, name in points:
        colour = BLUE if any(name == other for _, _, other in best) else GREY
        of_seed = dict(zip(table.row(name).seeds, times[name], strict=True))
        seeds = values_by_seed(table.row(name), table.metric)
        draw_seeds(axes, [(of_seed[each.seed], each.value, each.collapsed) for each in seeds], colour)
        if value.low is not None and value.high is not None:
            axes.plot([seconds, seconds], [value.low, value.high], color=colour, linewidth=0.8, alpha=0.6)
        axes.plot([seconds], [value.mean], marker="o", markersize=4.5, color=colour)
    axes.step([entry[0] for entry in best], [entry[1].mean for entry in best], where="post", color=BLUE, linewidth=0.9)
    for number, (seconds, value, _) in enumerate(best, start=1):
        # Neighbours on the front may be close, so their numbers alternate between left and right.
        side, align = (-5, "right") if number % 2 else (5, "left")
        axes.annotate(
            str(number), (seconds, value.mean), xytext=(side, 4), textcoords="offset points", ha=align, color=BLUE
        )
    names = [f"{number}  {shortened(name, 80)}" for number, (_, _, name) in enumerate(best, start=1)]
    axes.set_xlabel("training time per run in seconds (mean over seeds)\n" + "\n".join(names), loc="left")
    axes.set_ylabel(f"{table.measured_on} {table.metric.replace('_', ' ')}")
    if points[-1][0] > 10 * points[0][0]:
        axes.set_xscale("log")
    light_grid(axes, "y")
    return figure


PARETO = Drawing(
    "Metric against training time, with 95% confidence intervals. Blue: the Pareto front, rows whose value no "
    "faster row reaches. The times were measured with parallel runs on the same machine and exclude pretraining. "
    + LEGEND,
    describe,
    draw,
)
