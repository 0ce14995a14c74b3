"""Figures over several tasks: performance profiles, and the critical-difference diagram of mean ranks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy import stats

from manyheads.pages.figures import BLUE, GREY, INK, SERIES, canvas, label_of, legend_below, light_grid, shortened
from manyheads.studies.figures.drawing import LEGEND, Drawing, SeedPoint, draw_seeds, values_by_seed
from manyheads.studies.figures.forest import HEIGHT
from manyheads.studies.render import words
from manyheads.studies.table import Profile, Table

SHOWN = len(SERIES) - 1
"""Number of coloured rows in addition to the baseline."""

STEP = 0.035
"""Distance of the lines of points below the axis."""


def _chosen(table: Table) -> list[str]:
    """Return the baseline, then the rows with the highest interquartile means."""
    if table.across_tasks is None:
        return []
    baseline = table.row(table.baseline).same_as or table.baseline
    best = sorted(
        (row for row in table.across_tasks.rows if row.row != baseline and row.iqm is not None),
        key=lambda row: -row.iqm.mean if row.iqm is not None else 0.0,
    )
    return [baseline, *(row.row for row in best[:SHOWN])]


def describe_profiles(table: Table) -> str | None:
    """Return the interquartile means of the highlighted rows in words."""
    if table.across_tasks is None:
        return None
    means = {row.row: row.iqm for row in table.across_tasks.rows}
    parts = [f"{name} {words.score(iqm.mean)}" for name in _chosen(table) if (iqm := means.get(name)) is not None]
    count = len(table.across_tasks.tasks)
    return (
        f"Share of scores above each value, over {count} tasks and all seeds. Interquartile means: {'; '.join(parts)}."
    )


def draw_profiles(table: Table) -> Figure:
    """Draw one step line per row. Rows that are not highlighted are thin and grey."""
    chosen = _chosen(table)
    figure = canvas(2.8 + 0.17 * len(chosen))
    axes = figure.add_subplot()
    across = table.across_tasks
    for profile in () if across is None else across.profiles:
        _line(axes, () if across is None else across.thresholds, profile, chosen)
    axes.set_xlabel("metric of a task")
    axes.set_ylabel("share of scores above it")
    _seeds(axes, table, chosen)
    axes.set_ylim(-0.05 - STEP * len(chosen), 1.02)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    light_grid(axes, "y")
    legend_below(figure, axes, chosen)
    return figure


def _seeds(axes: Axes, table: Table, chosen: list[str]) -> None:
    """Draw the scores of each highlighted row below the axis, one line of points per row."""
    tasks = () if table.across_tasks is None else table.across_tasks.tasks
    for place, name in enumerate(chosen):
        colour = INK if place == 0 else SERIES[place - 1]
        row = table.row(name)
        scores = (point for task in tasks for point in values_by_seed(row, task))
        draw_seeds(axes, ((point.value, -0.04 - STEP * place, point.collapsed) for point in scores), colour)


def _line(axes: Axes, thresholds: tuple[float, ...], profile: Profile, chosen: list[str]) -> None:
    if profile.row not in chosen:
        axes.step(thresholds, profile.above, where="post", color=GREY, linewidth=0.7, alpha=0.7, zorder=1)
        return
    place = chosen.index(profile.row)
    axes.step(
        thresholds,
        profile.above,
        "--" if place == 0 else "-",
        where="post",
        color=INK if place == 0 else SERIES[place - 1],
        linewidth=1.4,
        label=label_of(profile.row),
    )


PROFILES = Drawing(
    "Performance profiles (exploratory): the share of the scores of a row, over tasks and seeds, above each value. "
    "Dashed: the baseline. Coloured: the rows with the highest interquartile means. Grey: the other rows. "
    f"{LEGEND}",
    describe_profiles,
    draw_profiles,
)


def _ranked(table: Table) -> list[tuple[str, float]]:
    """Return the rows and their mean ranks, the best first. Empty without a critical difference."""
    if table.across_tasks is None or table.across_tasks.critical_difference is None:
        return []
    return sorted(((row.row, row.mean_rank) for row in table.across_tasks.rows), key=lambda entry: entry[1])


def ranks_by_seed(table: Table, name: str) -> list[SeedPoint]:
    """Return the mean rank of a row over the tasks for each seed that all ranked rows have."""
    if table.across_tasks is None:
        return []
    rows = [table.row(row.row) for row in table.across_tasks.rows]
    place = [row.name for row in rows].index(name)
    found = []
    for seed in rows[place].seeds:
        scores = [[row.point(task, seed) for row in rows] for task in table.across_tasks.tasks]
        known = [[score for score in of_task if score is not None] for of_task in scores]
        if all(len(of_task) == len(rows) for of_task in known):
            mean = float(np.mean([stats.rankdata([-score for score in of_task])[place] for of_task in known]))
            found.append(SeedPoint(seed, mean, any(seed in row.collapsed for row in rows)))
    return found


def cliques(ranked: Sequence[float], critical: float) -> list[tuple[int, int]]:
    """Return the longest runs of rows, by their first and last place, whose ranks differ by less than `critical`."""
    found: list[tuple[int, int]] = []
    for first in range(len(ranked)):
        last = max(place for place in range(first, len(ranked)) if ranked[place] - ranked[first] < critical)
        if last > first and (not found or last > found[-1][1]):
            found.append((first, last))
    return found


def describe_ranks(table: Table) -> str | None:
    """Return the mean ranks in words."""
    ranked = _ranked(table)
    if not ranked or table.across_tasks is None:
        return None
    parts = "; ".join(f"{name} {rank:.2f}" for name, rank in ranked)
    critical = table.across_tasks.critical_difference
    return f"Mean ranks over {len(table.across_tasks.tasks)} tasks, critical difference {critical:.2f}: {parts}."


def draw_ranks(table: Table) -> Figure:
    """Draw one row per line, the best on top. Vertical bars join rows that cannot be distinguished."""
    ranked = _ranked(table)
    critical = 0.0 if table.across_tasks is None else table.across_tasks.critical_difference or 0.0
    figure = canvas(1.0 + HEIGHT * len(ranked))
    axes = figure.add_subplot()
    for place, (name, rank) in enumerate(ranked):
        colour = INK if name == table.baseline else BLUE
        axes.plot([1, rank], [place, place], color=GREY, linewidth=0.6)
        axes.plot([rank], [place], marker="o", markersize=4.5, color=colour)
        points = ranks_by_seed(table, name)
        draw_seeds(axes, ((point.value, place, point.collapsed) for point in points), colour)
    joined = cliques([rank for _, rank in ranked], critical)
    right = max(
        [rank for _, rank in ranked] + [each.value for name, _ in ranked for each in ranks_by_seed(table, name)]
    )
    for number, (first, last) in enumerate(joined, start=1):
        at = right + 0.06 * number * max(1.0, right)
        axes.plot([at, at], [first - 0.2, last + 0.2], color=INK, linewidth=2.2, solid_capstyle="butt")
    axes.plot([1, 1 + critical], [-1, -1], color=INK, linewidth=1.2)
    axes.annotate(f"critical difference {critical:.2f}", (1 + critical, -1), xytext=(5, 0), textcoords="offset points")
    axes.set_yticks(range(len(ranked)), [shortened(name) for name, _ in ranked])
    axes.set_ylim(len(ranked) - 0.5, -1.6)
    axes.set_xlabel("mean rank over the tasks (1 is best; exploratory)")
    axes.tick_params(axis="y", length=0)
    light_grid(axes, "x")
    return figure


RANKS = Drawing(
    "Critical-difference diagram (exploratory): the mean rank of each row over the tasks. Vertical bars join rows "
    f"whose ranks differ by less than Nemenyi's critical difference. Black: the baseline. {LEGEND}",
    describe_ranks,
    draw_ranks,
)
