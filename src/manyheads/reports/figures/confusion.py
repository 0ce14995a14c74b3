"""Draw the confusion matrix."""

from __future__ import annotations

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from manyheads.reports.content import TaskReport
from manyheads.studies.figures.style import BLUE, INK, canvas, shortened
from manyheads.tasks.escape import visible

STRENGTH = 0.55
"""Opacity of a cell with a proportion of 1. It keeps the text readable in the light and the dark theme."""


def draw_confusion(task: TaskReport) -> Figure:
    """Draw one row per true label: the percentage and number of its examples with each predicted label."""
    matrix = task.confusion
    if matrix is None:
        raise ValueError("a regression has no confusion matrix")
    size = len(matrix.labels)
    figure = canvas(min(6.5, 1.2 + 0.5 * size))
    axes = figure.add_subplot()
    for row, (counts, shares) in enumerate(zip(matrix.counts, matrix.shares(), strict=True)):
        for column, (count, part) in enumerate(zip(counts, shares, strict=True)):
            shade = STRENGTH * part
            axes.add_patch(Rectangle((column - 0.48, row - 0.46), 0.96, 0.92, color=BLUE, alpha=shade, linewidth=0))
            axes.text(column, row, f"{100 * part:.0f}%  ({count})", ha="center", va="center", color=INK, fontsize=8)
    names = [shortened(visible(label), 18) for label in matrix.labels]
    axes.set_xticks(range(size), names, rotation=30 if max(map(len, names)) > 8 else 0)
    axes.set_yticks(range(size), names)
    axes.set_xlim(-0.5, size - 0.5)
    axes.set_ylim(size - 0.5, -0.5)
    axes.set_xlabel("predicted label")
    axes.set_ylabel("true label")
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def confusion_alt(task: TaskReport) -> str | None:
    """Return the recall of each label in words."""
    if task.confusion is None:
        return None
    shares = task.confusion.shares()
    each = (f"{label} {100 * shares[place][place]:.0f}%" for place, label in enumerate(task.confusion.labels))
    return f"Confusion matrix of {task.name}, one row per true label. Recall: {', '.join(each)}."
