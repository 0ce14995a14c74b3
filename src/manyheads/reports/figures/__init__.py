"""The figures of a report."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from manyheads.reports.blocks import Picture
from manyheads.reports.content import Report, TaskReport
from manyheads.reports.figures.confusion import confusion_alt, draw_confusion
from manyheads.reports.figures.curves import curves_alt, draw_curves
from manyheads.reports.figures.reliability import draw_reliability, reliability_alt
from manyheads.reports.figures.scatter import draw_scatter, scatter_alt
from manyheads.studies.figures.style import figure_files

CURVES_TITLE = (
    "Learning curves: dev metric (blue) and mean training loss (orange) by epoch. Dotted: the reported epoch."
)

Drawing = tuple[str, str, Callable[[TaskReport], str | None], Callable[[TaskReport], Figure]]

DRAWINGS: tuple[Drawing, ...] = (
    ("confusion", "Confusion matrix", confusion_alt, draw_confusion),
    ("reliability", "Reliability diagram (calibration)", reliability_alt, draw_reliability),
    ("scatter", "Predictions against true values", scatter_alt, draw_scatter),
)
"""The figures of a task: name, title, description in words (None: nothing to show), and drawing function."""


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


def draw_all(report: Report) -> dict[str, dict[str, bytes]]:
    """Draw every figure. Return its files by name and extension ("svg", "png")."""
    files = {"curves": figure_files("report-curves", CURVES_TITLE, lambda: draw_curves(report))}
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
