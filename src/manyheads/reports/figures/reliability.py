"""Draw the reliability diagram."""

from __future__ import annotations

from matplotlib.figure import Figure

from manyheads.evaluation.interval import share
from manyheads.reports.content import TaskReport
from manyheads.reports.words import number
from manyheads.studies.counted import counted
from manyheads.studies.figures.style import BLUE, GREY, canvas, light_grid


def draw_reliability(task: TaskReport) -> Figure:
    """Draw accuracy over confidence in ten bins with 95% confidence intervals, and the size of each bin."""
    calibration = task.calibration
    if calibration is None:
        raise ValueError("a regression has no calibration")
    figure = canvas(3.4)
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
    upper.plot([0, 1], [0, 1], color=GREY, linewidth=0.8, linestyle="--")
    for each in calibration.bins:
        spread = share("accuracy", round(each.accuracy * each.count), each.count)
        upper.plot([each.confidence] * 2, [spread.low, spread.high], color=BLUE, linewidth=1)
    upper.plot(
        [each.confidence for each in calibration.bins],
        [each.accuracy for each in calibration.bins],
        "o",
        color=BLUE,
        markersize=4,
    )
    upper.set_ylabel("accuracy")
    upper.set_ylim(0, 1.02)
    light_grid(upper, "y")
    lower.bar(
        [(each.low + each.high) / 2 for each in calibration.bins],
        [each.count for each in calibration.bins],
        0.094,
        color=BLUE,
    )
    lower.set_ylabel("examples")
    lower.set_xlabel("confidence (probability of the predicted label)")
    lower.set_xlim(0, 1)
    return figure


def reliability_alt(task: TaskReport) -> str | None:
    """Return the calibration error in a sentence."""
    if task.calibration is None:
        return None
    calibration = task.calibration
    return (
        f"Reliability diagram of {task.name}: accuracy over confidence in {counted(len(calibration.bins), 'bin')}. "
        f"Expected calibration error: {number(calibration.error)}."
    )
