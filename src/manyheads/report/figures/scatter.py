"""Answers over true values."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from manyheads.report.content import TaskReport
from manyheads.study.figures.style import BLUE, GREY, ORANGE, canvas, light_grid

MOST = 2_000
"""Points that are drawn; of more, so many at even places in the file."""


def draw_scatter(task: TaskReport) -> Figure:
    """A point an example, the fitted line, and the line where answers are right."""
    figure = canvas(3.8)
    axes = figure.add_subplot()
    targets, predictions = task.answers.targets, task.answers.predictions
    shown = np.linspace(0, len(targets) - 1, min(MOST, len(targets))).astype(np.int64)
    low, high = task.value_range or (float(targets.min()), float(targets.max()))
    axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, linestyle="--", label="right answers")
    axes.plot(targets[shown], predictions[shown], "o", color=BLUE, alpha=0.35, markersize=3, markeredgewidth=0)
    if task.fit is not None:
        ends = np.array([low, high])
        axes.plot(
            ends, task.fit.intercept + task.fit.slope * ends, color=ORANGE, linewidth=1.5, label=task.fit.equation
        )
    axes.set_xlabel("true value")
    axes.set_ylabel("answer")
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    light_grid(axes, "y")
    axes.legend(loc="upper left")
    return figure


def scatter_alt(task: TaskReport) -> str | None:
    """The line in words."""
    if task.answers.labels is not None or not len(task.answers):
        return None
    line = "" if task.fit is None else f" Fitted line: {task.fit.equation}."
    return f"Scatter plot of {len(task.answers)} answers of {task.name} over true values.{line}"
