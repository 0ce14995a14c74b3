"""Performance profiles: the share of all scores of a row, over tasks and seeds, above each threshold."""

from __future__ import annotations

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manyheads.study.figures.style import GREY, INK, SERIES, Drawing, canvas, light_grid, shortened
from manyheads.study.render import words
from manyheads.study.table import Profile, Table

SHOWN = len(SERIES) - 1
"""Number of coloured rows in addition to the baseline."""


def _chosen(table: Table) -> list[str]:
    """Return the baseline, then the rows with the highest interquartile means."""
    if table.across_tasks is None:
        return []
    best = sorted(
        (row for row in table.across_tasks.rows if row.row != table.baseline and row.iqm is not None),
        key=lambda row: -row.iqm.mean if row.iqm is not None else 0.0,
    )
    return [table.baseline, *(row.row for row in best[:SHOWN])]


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
    axes.set_ylim(-0.02, 1.02)
    light_grid(axes, "y")
    handles, labels = axes.get_legend_handles_labels()
    order = [labels.index(shortened(name, 70)) for name in chosen if shortened(name, 70) in labels]
    figure.legend(
        [handles[place] for place in order],
        [labels[place] for place in order],
        loc="outside lower left",
        ncols=1,
        fontsize=7.5,
    )
    return figure


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
        label=shortened(profile.row, 70),
    )


PROFILES = Drawing(
    "Performance profiles (exploratory): the share of the scores of a row, over tasks and seeds, above each value. "
    "Dashed: the baseline. Coloured: the rows with the highest interquartile means. Grey: the other rows.",
    describe,
    draw,
)
