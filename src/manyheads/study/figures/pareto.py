"""What a row costs and what it gives: its figure against training time, and the front that nothing beats in both."""

from __future__ import annotations

from matplotlib.figure import Figure

from manyheads.study.figures.style import BLUE, GREY, Drawing, canvas, light_grid, shortened
from manyheads.study.render import words
from manyheads.study.table import Interval, Table


def _found(table: Table) -> list[tuple[float, Interval, str]]:
    """(seconds, figure, row), the quickest first; rows of other tasks than the baseline's are no part of it."""
    seconds = {timing.row: timing.mean for timing in table.timings}
    found = []
    for row in table.listed:
        figure = row.best.of(table.metric)
        if row.name in seconds and figure is not None:
            found.append((seconds[row.name], figure, row.name))
    return sorted(found, key=lambda entry: (entry[0], entry[2]))


def front(found: list[tuple[float, Interval, str]]) -> list[tuple[float, Interval, str]]:
    """The entries that no quicker one reaches."""
    kept: list[tuple[float, Interval, str]] = []
    for entry in found:
        if not kept or entry[1].mean > kept[-1][1].mean:
            kept.append(entry)
    return kept


def describe(table: Table) -> str | None:
    """The front in words."""
    found = _found(table)
    if len(found) < 2:
        return None
    parts = [f"{name}: {words.score(figure.mean)} in {seconds:.0f} s" for seconds, figure, name in front(found)]
    return f"{table.metric} against training time; not beaten in both: {'; '.join(parts)}."


def draw(table: Table) -> Figure:
    """Every row as a point with its interval; those of the front are named."""
    found = _found(table)
    best = front(found)
    figure = canvas(3.8 + 0.15 * len(best))
    axes = figure.add_subplot()
    for seconds, value, name in found:
        colour = BLUE if any(name == other for _, _, other in best) else GREY
        axes.plot([seconds, seconds], [value.low, value.high], color=colour, linewidth=0.8, alpha=0.6)
        axes.plot([seconds], [value.mean], marker="o", markersize=4.5, color=colour)
    axes.step([entry[0] for entry in best], [entry[1].mean for entry in best], where="post", color=BLUE, linewidth=0.9)
    for number, (seconds, value, _) in enumerate(best, start=1):
        # Neighbours on the front lie close: their numbers stand on either side in turn.
        side, align = (-5, "right") if number % 2 else (5, "left")
        axes.annotate(
            str(number), (seconds, value.mean), xytext=(side, 4), textcoords="offset points", ha=align, color=BLUE
        )
    names = [f"{number}  {shortened(name, 80)}" for number, (_, _, name) in enumerate(best, start=1)]
    axes.set_xlabel("training seconds of one run (mean over seeds)\n" + "\n".join(names), loc="left")
    axes.set_ylabel(table.metric.replace("_", " "))
    if found[-1][0] > 10 * found[0][0]:
        axes.set_xscale("log")
    light_grid(axes, "y")
    return figure


PARETO = Drawing(
    "Figure against training time. Blue: rows that no quicker row reaches. Times are of the machine that ran them, "
    "other runs beside them and pretraining not counted.",
    describe,
    draw,
)
