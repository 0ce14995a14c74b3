"""Performance profiles: the share of all scores of a row, over tasks and seeds, above each threshold."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manyheads.studies.figures.seeds import LEGEND, draw_seeds, values_by_seed
from manyheads.studies.figures.style import GREY, INK, SERIES, Drawing, canvas, label_of, legend_below, light_grid
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


def describe(table: Table) -> str | None:
    """Return the interquartile means of the highlighted rows in words."""
    if table.across_tasks is None:
        return None
    means = {row.row: row.iqm for row in table.across_tasks.rows}
    parts = [f"{name} {words.score(iqm.mean)}" for name in _chosen(table) if (iqm := means.get(name)) is not None]
    count = len(table.across_tasks.tasks)
    return (
        f"Share of scores above each value, over {count} tasks and all seeds. Interquartile means: {'; '.join(parts)}."
    )


def draw(table: Table) -> Figure:
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
    describe,
    draw,
)
