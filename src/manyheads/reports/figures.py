"""The figures of a report: learning curves, confusion matrices, reliability diagrams and scatter plots."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from manyheads.evaluation.interval import share
from manyheads.pages.figures import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    canvas,
    draw_interval,
    figure_files,
    light_grid,
    name_lines,
    shortened,
)
from manyheads.pages.render import Picture
from manyheads.pages.words import counted, name_of, number
from manyheads.reports.compare import Comparison
from manyheads.reports.compare_groups import AVERAGE, GroupComparison
from manyheads.reports.content import Report, TaskReport
from manyheads.tasks.written import visible

CURVES_TITLE = (
    "Learning curves: dev metric (blue) and mean training loss (orange) by epoch. Dotted: the reported epoch."
)

Drawing = tuple[str, str, Callable[[TaskReport], str | None], Callable[[TaskReport], Figure]]


def pictures_of(report: Report) -> dict[str, tuple[Picture, ...]]:
    """Return the figures of a report by task. The figure of the whole run has the key ""."""
    pictures: dict[str, tuple[Picture, ...]] = {"": (Picture("curves", CURVES_TITLE, curves_alt(report)),)}
    for task in report.tasks:
        own = []
        for name, title, describe, _ in DRAWINGS:
            alt = describe(task)
            if alt is not None:
                own.append(Picture(_file(name, report, task), f"{task.name}: {title[0].lower()}{title[1:]}", alt))
        pictures[task.name] = tuple(own)
    return pictures


def curves_files(report: Report) -> dict[str, bytes]:
    """Draw the learning curves. Return the files by extension ("svg", "png")."""
    return figure_files("report-curves", CURVES_TITLE, lambda: draw_curves(report))


def draw_all(report: Report) -> dict[str, dict[str, bytes]]:
    """Draw every figure. Return its files by name and extension ("svg", "png")."""
    files = {"curves": curves_files(report)}
    for task in report.tasks:
        for name, title, describe, draw in DRAWINGS:
            if describe(task) is not None:
                file = _file(name, report, task)
                files[file] = figure_files(f"report-{file}", title, partial(draw, task))
    return files


def _file(name: str, report: Report, task: TaskReport) -> str:
    """Return a portable file name that is unique among the tasks."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", task.name).strip("-").lower()
    number = [each.name for each in report.tasks].index(task.name)
    return f"{name}-{number}-{plain}" if plain else f"{name}-{number}"


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


COLUMNS = 3


def draw_curves(report: Report) -> Figure:
    """Draw the dev metric (blue, left axis) and the mean training loss between evaluations (orange, right)."""
    rows = math.ceil(len(report.tasks) / COLUMNS)
    figure = canvas(2.3 * rows)
    for number_, task in enumerate(report.tasks):
        axes = figure.add_subplot(rows, min(COLUMNS, len(report.tasks)), number_ + 1)
        known = [(epoch, value) for epoch, value in task.curve if value is not None]
        axes.plot([epoch for epoch, _ in known], [value for _, value in known], "o-", color=BLUE, markersize=3)
        if known and max(value for _, value in known) <= 1 < axes.get_ylim()[1]:
            axes.set_ylim(top=1.01)  # 1 is the highest value of most metrics
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
        losses.set_ylim(0, 1.08 * max((loss for _, loss in task.losses), default=1.0) or 1.0)
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


def draw_comparison(comparison: Comparison | GroupComparison) -> Figure:
    """Draw the differences with their 95% intervals, one part per task. Filled: significant after correction."""
    lines = list(_lines(comparison))
    first = comparison.first.name if isinstance(comparison, GroupComparison) else comparison.runs[0]
    only = len({each.run for each in lines}) == 1
    tasks = list(dict.fromkeys(each.task for each in lines))
    parts = [[each for each in lines if each.task == task] for task in tasks]
    figure = canvas(sum(0.75 + 0.24 * len(part) for part in parts))
    every = figure.subplots(len(parts), 1, squeeze=False, height_ratios=[0.75 + 0.24 * len(part) for part in parts])
    for axes, part in zip(every[:, 0], parts, strict=True):
        axes.axvline(0, color=INK, linewidth=0.8)
        for place, each in enumerate(part):
            colour = BLUE if each.significant else GREY
            text = f"{each.value:+.3f}"
            draw_interval(axes, place, each.value, (each.low, each.high), colour, text, fill=each.significant)
        name_lines(axes, [each.metric + ("" if only else f", {shortened(each.run, 30)}") for each in part])
        axes.set_title(part[0].task, fontsize=8.5, loc="left")
    axes.set_xlabel(f"difference from {shortened(first)} (95% confidence interval)")
    return figure


@dataclass(frozen=True)
class _Line:
    """A difference of a comparison. `run`: the run that is compared with the first one."""

    task: str
    metric: str
    run: str
    value: float
    low: float
    high: float
    significant: bool


def _lines(comparison: Comparison | GroupComparison) -> Iterator[_Line]:
    if isinstance(comparison, GroupComparison):
        for each in comparison.differences:
            metric = "primary metrics" if each.task == AVERAGE else name_of(each.metric)
            significant = each.p_holm is not None and each.p_holm < 0.05
            yield _Line(each.task, metric, comparison.second.name, each.value, each.low, each.high, significant)
        return
    for task in comparison.tasks:
        for own in task.differences:
            significant = own.all_low > 0 or own.all_high < 0
            yield _Line(task.name, name_of(own.metric), own.run, own.value, own.low, own.high, significant)


DRAWINGS: tuple[Drawing, ...] = (
    ("confusion", "Confusion matrix", confusion_alt, draw_confusion),
    ("reliability", "Reliability diagram (calibration)", reliability_alt, draw_reliability),
    ("scatter", "Predictions against true values", scatter_alt, draw_scatter),
)
"""The figures of a task: name, title, description in words (None: nothing to show), and drawing function."""
