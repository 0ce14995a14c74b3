"""The figures of a report."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import partial

from matplotlib.figure import Figure

from manyheads.report.blocks import Picture
from manyheads.report.content import Report, TaskReport
from manyheads.report.figures.confusion import confusion_alt, draw_confusion
from manyheads.report.figures.curves import curves_alt, draw_curves
from manyheads.report.figures.reliability import draw_reliability, reliability_alt
from manyheads.report.figures.scatter import draw_scatter, scatter_alt
from manyheads.study.figures.style import figure_files

Drawing = tuple[str, str, Callable[[TaskReport], str | None], Callable[[TaskReport], Figure]]

DRAWINGS: tuple[Drawing, ...] = (
    ("confusion", "Which labels are taken for which", confusion_alt, draw_confusion),
    ("reliability", "How far the chances can be believed", reliability_alt, draw_reliability),
    ("scatter", "Answers over true values", scatter_alt, draw_scatter),
)
"""Figures of one task: name, title, what it shows in words (None: nothing to show), how it is drawn."""


def pictures_of(report: Report) -> dict[str, tuple[Picture, ...]]:
    """The figures that a report has: those of each task by its name, that of the whole run under ""."""
    found: dict[str, tuple[Picture, ...]] = {"": (Picture("curves", "Dev metrics over epochs", curves_alt(report)),)}
    for task in report.tasks:
        own = []
        for name, title, describe, _ in DRAWINGS:
            alt = describe(task)
            if alt is not None:
                own.append(Picture(_file(name, report, task), f"{task.name}: {title[0].lower()}{title[1:]}", alt))
        found[task.name] = tuple(own)
    return found


def draw_all(report: Report) -> dict[str, dict[str, bytes]]:
    """Every figure's files by name and ending ("svg", "png")."""
    found = {"curves": figure_files("report-curves", "Dev metrics over epochs", lambda: draw_curves(report))}
    for task in report.tasks:
        for name, title, describe, draw in DRAWINGS:
            if describe(task) is not None:
                file = _file(name, report, task)
                found[file] = figure_files(f"report-{file}", title, partial(draw, task))
    return found


def _file(name: str, report: Report, task: TaskReport) -> str:
    """A file's name that any system takes, and no two tasks share."""
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", task.name).strip("-").lower()
    number = [each.name for each in report.tasks].index(task.name)
    return f"{name}-{number}-{plain}" if plain else f"{name}-{number}"
