"""Gains of multitask training: the metric of each task trained together minus trained alone."""

from __future__ import annotations

from matplotlib.figure import Figure

from manyheads.studies.figures.forest import HEIGHT, intervals
from manyheads.studies.figures.seeds import LEGEND, SeedPoint, differences_by_seed
from manyheads.studies.figures.style import Drawing, canvas, shortened
from manyheads.studies.render import words
from manyheads.studies.table import Difference, Table


def _gains(table: Table) -> list[tuple[str, str, Difference]]:
    return [(twin.row, twin.task, twin.gain) for twin in table.twins if twin.gain is not None]


def describe(table: Table) -> str | None:
    """Return the gains in words."""
    gains = _gains(table)
    if not gains:
        return None
    parts = [
        f"{task} in {row} {words.signed(gain.mean)} {words.signed_bounds(gain)}".rstrip()
        + (", significant after correction" if gain.significant else "")
        for row, task, gain in gains
    ]
    exploratory = "" if table.primary == "twins" else " (exploratory)"
    what = f"Gains of multitask training over single-task twins{exploratory}"
    return f"{what}, with 95% confidence intervals: {'; '.join(parts)}."


def draw(table: Table) -> Figure:
    """Draw one panel for each row that has twins."""
    gains = _gains(table)
    rows = list(dict.fromkeys(row for row, _, _ in gains))
    panels = [[(task, gain) for row, task, gain in gains if row == name] for name in rows]
    figure = canvas(0.75 + sum(0.35 + HEIGHT * len(panel) for panel in panels))
    axes = figure.subplots(
        len(rows), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [len(panel) + 1 for panel in panels]}
    )
    for place, (name, panel) in enumerate(zip(rows, panels, strict=True)):
        intervals(axes[place, 0], panel, [_seeds(table, name, task) for task, _ in panel])
        axes[place, 0].set_title(shortened(name, 80), loc="left", fontsize=8.5)
    kind = "95% confidence interval" if table.primary == "twins" else "exploratory, 95% confidence interval"
    axes[-1, 0].set_xlabel(f"trained together minus trained alone, in the metric of the task ({kind})")
    return figure


def _seeds(table: Table, row: str, task: str) -> list[SeedPoint]:
    """Return the gain of each seed in a task, or in the average over tasks."""
    twins = [(table.row(each.twin), each.task) for each in table.twins if each.row == row and each.twin is not None]
    alone = [each for each in twins if task in ("average", each[1])]
    return differences_by_seed(table.row(row), alone, task)


TWINS = Drawing(
    "Gain or loss of each task by multitask training, compared with its single-task twin, with 95% confidence "
    "intervals. Filled: significant at 5% after Holm's correction (blue: gain, orange: loss). Hollow: not significant. "
    + LEGEND,
    describe,
    draw,
)
