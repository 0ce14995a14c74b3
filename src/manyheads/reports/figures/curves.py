"""Draw dev metrics and training losses by epoch, one panel per task."""

from __future__ import annotations

import math

from matplotlib.figure import Figure

from manyheads.reports.content import Report
from manyheads.reports.words import name_of, number
from manyheads.studies.figures.style import BLUE, GREY, ORANGE, canvas, light_grid

COLUMNS = 3


def draw_curves(report: Report) -> Figure:
    """Draw the dev metric (blue, left axis) and the mean training loss between evaluations (orange, right)."""
    rows = math.ceil(len(report.tasks) / COLUMNS)
    figure = canvas(2.3 * rows)
    for number_, task in enumerate(report.tasks):
        axes = figure.add_subplot(rows, min(COLUMNS, len(report.tasks)), number_ + 1)
        known = [(epoch, value) for epoch, value in task.curve if value is not None]
        axes.plot([epoch for epoch, _ in known], [value for _, value in known], "o-", color=BLUE, markersize=3)
        axes.axvline(report.epoch, color=GREY, linewidth=0.7, linestyle=":")
        axes.set_title(task.name, fontsize=8.5, loc="left")
        axes.set_ylabel(name_of(task.metric), color=BLUE)
        axes.set_xlabel("epoch")
        axes.set_xlim(left=0)
        light_grid(axes, "y")
        losses = axes.twinx()
        losses.plot(
            [epoch for epoch, _ in task.losses], [loss for _, loss in task.losses], "s--", color=ORANGE, markersize=2.5
        )
        losses.set_ylabel("training loss", color=ORANGE)
        losses.set_ylim(bottom=0)
    return figure


def curves_alt(report: Report) -> str:
    """Return the first and last values of the curves in words."""
    parts = []
    for task in report.tasks:
        known = [value for _, value in task.curve if value is not None]
        if len(known) == 1:
            parts.append(f"{task.name}: {name_of(task.metric)} {number(known[0])}")
        elif known:
            parts.append(f"{task.name}: {name_of(task.metric)} from {number(known[0])} to {number(known[-1])}")
    return f"Dev metrics by epoch. {'; '.join(parts)}."
