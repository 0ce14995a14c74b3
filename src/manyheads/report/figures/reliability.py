"""The reliability diagram."""

from __future__ import annotations

from matplotlib.figure import Figure

from manyheads.evaluation.interval import share
from manyheads.report.content import TaskReport
from manyheads.report.words import number
from manyheads.study.figures.style import BLUE, GREY, canvas, light_grid


def draw_reliability(task: TaskReport) -> Figure:
    """Accuracy over confidence in ten bins, with 95% intervals, and how many answers each bin holds."""
    found = task.calibration
    if found is None:
        raise ValueError("values have no calibration")
    figure = canvas(3.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    for each in found.bins:
        spread = share("accuracy", round(each.accuracy * each.count), each.count)
        upper.plot([each.confidence] * 2, [spread.low, spread.high], color=BLUE, linewidth=1)
    upper.plot(
        [each.confidence for each in found.bins], [each.accuracy for each in found.bins], "o", color=BLUE, markersize=4
    )
    upper.set_ylabel("share that is right")
    upper.set_ylim(0, 1.02)
    light_grid(upper, "y")
    lower.bar(
        [(each.low + each.high) / 2 for each in found.bins], [each.count for each in found.bins], 0.094, color=BLUE
    )
    lower.set_ylabel("answers")
    lower.set_xlabel("confidence: the chance that the run gave its own answer")
    lower.set_xlim(0, 1)
    return figure


def reliability_alt(task: TaskReport) -> str | None:
    """The error in a sentence."""
    if task.calibration is None:
        return None
    found = task.calibration
    return (
        f"Reliability diagram of {task.name}: accuracy over confidence in {len(found.bins)} bins; expected calibration "
        f"error {number(found.error)}."
    )
