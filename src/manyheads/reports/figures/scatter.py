"""Draw predictions against true values."""

from __future__ import annotations

import numpy as np
from matplotlib.figure import Figure

from manyheads.reports.content import TaskReport
from manyheads.studies.counted import counted
from manyheads.studies.figures.style import BLUE, GREY, ORANGE, canvas, light_grid

MOST = 2_000
"""Maximum number of points. If there are more examples, every k-th one is drawn."""


def draw_scatter(task: TaskReport) -> Figure:
    """Draw one point per example, the regression line, and the line of perfect predictions."""
    figure = canvas(3.8)
    axes = figure.add_subplot()
    targets, predictions = task.predictions.targets, task.predictions.predictions
    shown = np.linspace(0, len(targets) - 1, min(MOST, len(targets))).astype(np.int64)
    low, high = task.value_range or (float(targets.min()), float(targets.max()))
    axes.plot([low, high], [low, high], color=GREY, linewidth=0.8, linestyle="--", label="perfect predictions")
    axes.plot(targets[shown], predictions[shown], "o", color=BLUE, alpha=0.35, markersize=3, markeredgewidth=0)
    if task.fit is not None:
        ends = np.array([low, high])
        axes.plot(
            ends, task.fit.intercept + task.fit.slope * ends, color=ORANGE, linewidth=1.5, label=task.fit.equation
        )
    axes.set_xlabel("true value")
    axes.set_ylabel("prediction")
    axes.set_xlim(low - 0.02 * (high - low), high + 0.02 * (high - low))
    light_grid(axes, "y")
    axes.legend(loc="upper left")
    return figure


def scatter_alt(task: TaskReport) -> str | None:
    """Return the number of points and the regression line in words."""
    if "scatter" not in task.predictions.kind.views or not len(task.predictions):
        return None
    line = "" if task.fit is None else f" Regression line: {task.fit.equation}."
    return f"Scatter plot of {counted(len(task.predictions), 'prediction')} of {task.name} against true values.{line}"
