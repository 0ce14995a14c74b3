"""Forest plots: the difference of each row from the baseline, and the gains over single-task twins."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manyheads.pages.figures import BLUE, GREY, INK, ORANGE, canvas, light_grid, shortened
from manyheads.studies.figures.drawing import LEGEND, Drawing, SeedPoint, differences_by_seed, draw_seeds
from manyheads.studies.render import words
from manyheads.studies.table import Difference, Table

HEIGHT = 0.24
"""Inches per row."""


def _differences(table: Table) -> list[tuple[str, Difference]]:
    return [(row.name, row.difference) for row in table.listed if row.difference is not None and row.same_as is None]


def describe_differences(table: Table) -> str | None:
    """Return the differences in words."""
    differences = _differences(table)
    if not differences:
        return None
    parts = [
        f"{name} {words.signed(difference.mean)} {words.signed_bounds(difference)}".rstrip()
        + (", significant after correction" if difference.significant else "")
        for name, difference in differences
    ]
    exploratory = "" if table.primary == "baseline" else " (exploratory)"
    what = f"Differences from {table.baseline} in {table.metric}{exploratory}"
    return f"{what}, with 95% confidence intervals: {'; '.join(parts)}."


def draw_differences(table: Table) -> Figure:
    """Draw the rows in the order of the table. The baseline is the line at zero."""
    differences = _differences(table)
    figure = canvas(0.9 + HEIGHT * len(differences))
    axes = figure.add_subplot()
    points = [
        differences_by_seed(table.row(name), [(table.row(table.baseline), table.metric)], table.metric)
        for name, _ in differences
    ]
    intervals(axes, [(shortened(name), difference) for name, difference in differences], points)
    metric = table.metric.replace("_", " ")
    kind = "95% confidence interval" if table.primary == "baseline" else "exploratory, 95% confidence interval"
    axes.set_xlabel(f"difference from {shortened(table.baseline)} in {metric} ({kind})")
    return figure


def intervals(axes: Axes, differences: list[tuple[str, Difference]], points: Sequence[Sequence[SeedPoint]]) -> None:
    """Draw one difference per line, from the top. Significant ones (after correction) are filled and coloured.

    `points`: the single seeds of each difference, which are drawn below its interval.
    """
    axes.axvline(0, color=INK, linewidth=0.8)
    for place, ((_, difference), seeds) in enumerate(zip(differences, points, strict=True)):
        draw_seeds(axes, [(each.value, place + 0.25, each.collapsed) for each in seeds], GREY)
        colour = GREY if not difference.significant else (BLUE if difference.mean > 0 else ORANGE)
        if difference.low is not None and difference.high is not None:
            ends = [difference.low, difference.high]
            axes.plot(ends, [place, place], color=colour, linewidth=1.6, solid_capstyle="butt")
        fill = colour if difference.significant else "none"
        axes.plot([difference.mean], [place], marker="o", markersize=4.5, color=colour, markerfacecolor=fill)
        axes.annotate(
            words.signed(difference.mean).replace("-", "\N{MINUS SIGN}"),
            (1.01, place),
            xycoords=("axes fraction", "data"),
            va="center",
            annotation_clip=False,
        )
    axes.set_yticks(range(len(differences)), [name for name, _ in differences])
    axes.set_ylim(len(differences) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    light_grid(axes, "x")


FOREST = Drawing(
    "Paired differences from the baseline with 95% confidence intervals. Filled: significant at 5% after Holm's "
    "correction (blue: better, orange: worse). Hollow: not significant. " + LEGEND,
    describe_differences,
    draw_differences,
)


def _gains(table: Table) -> list[tuple[str, str, Difference]]:
    return [(twin.row, twin.task, twin.gain) for twin in table.twins if twin.gain is not None]


def describe_twins(table: Table) -> str | None:
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


def draw_twins(table: Table) -> Figure:
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
    describe_twins,
    draw_twins,
)
