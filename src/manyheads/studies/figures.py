"""The figures of a study. Every figure also has a description in words."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from scipy import stats

from manyheads.evaluation.power import LIKELY
from manyheads.pages.figures import (
    BLUE,
    GREY,
    INK,
    ORANGE,
    SERIES,
    canvas,
    draw_interval,
    figure_files,
    label_of,
    legend_below,
    light_grid,
    name_lines,
    shortened,
)
from manyheads.studies.render import words
from manyheads.studies.table import Difference, Interval, Power, Profile, RowCurve, Table, TableRow

_LEGEND = "Small points: single seeds. Crosses: collapsed seeds, which the means do not include."


@dataclass(frozen=True)
class Drawing:
    """One figure. `describe`: its content in words, or None if a table has nothing to show. `draw`: draws it."""

    title: str
    describe: Callable[[Table], str | None]
    draw: Callable[[Table], Figure]


def render(name: str, drawing: Drawing, table: Table) -> dict[str, bytes]:
    """Return the files of a figure by extension, "svg" and "png". Equal tables give equal bytes."""
    return figure_files(name, drawing.title, lambda: drawing.draw(table))


@dataclass(frozen=True)
class _SeedPoint:
    """One seed. `collapsed`: whether it is collapsed in one of the rows."""

    seed: int
    value: float
    collapsed: bool


def values_by_seed(row: TableRow, metric: str) -> list[_SeedPoint]:
    """Return the value of each finished seed of a row."""
    return [
        _SeedPoint(seed, value, seed in row.collapsed)
        for seed in row.seeds
        if (value := row.point(metric, seed)) is not None
    ]


def differences_by_seed(row: TableRow, others: Sequence[tuple[TableRow, str]], metric: str) -> list[_SeedPoint]:
    """Return a row minus the mean of other rows for each seed that all have. `others`: rows and their metrics."""
    found = []
    for point in values_by_seed(row, metric):
        values = [other.point(name, point.seed) for other, name in others]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            collapsed = point.collapsed or any(point.seed in other.collapsed for other, _ in others)
            found.append(_SeedPoint(point.seed, point.value - sum(known) / len(known), collapsed))
    return found


def _draw_seeds(axes: Axes, points: Iterable[tuple[float, float, bool]], colour: str) -> None:
    """Draw small points at (x, y). Those of collapsed seeds are crosses."""
    marks: dict[str, list[tuple[float, float]]] = {".": [], "x": []}
    for x, y, collapsed in points:
        marks["x" if collapsed else "."].append((x, y))
    for marker, places in marks.items():
        if places:
            xs, ys = zip(*places, strict=True)
            axes.plot(xs, ys, marker=marker, linestyle="none", markersize=3.5, color=colour, alpha=0.55, zorder=1.5)


_HEIGHT = 0.24
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
    figure = canvas(0.9 + _HEIGHT * len(differences))
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


def intervals(axes: Axes, differences: list[tuple[str, Difference]], points: Sequence[Sequence[_SeedPoint]]) -> None:
    """Draw one difference per line, from the top. Significant ones (after correction) are filled and coloured.

    `points`: the single seeds of each difference, which are drawn below its interval.
    """
    axes.axvline(0, color=INK, linewidth=0.8)
    for place, ((_, difference), seeds) in enumerate(zip(differences, points, strict=True)):
        _draw_seeds(axes, [(each.value, place + 0.25, each.collapsed) for each in seeds], GREY)
        colour = GREY if not difference.significant else (BLUE if difference.mean > 0 else ORANGE)
        low, high, text = difference.low, difference.high, words.signed(difference.mean)
        ends = None if low is None or high is None else (low, high)
        draw_interval(axes, place, difference.mean, ends, colour, text, fill=difference.significant)
    name_lines(axes, [name for name, _ in differences])


_FOREST = Drawing(
    "Paired differences from the baseline with 95% confidence intervals. Filled: significant at 5% after Holm's "
    "correction (blue: better, orange: worse). Hollow: not significant. " + _LEGEND,
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
    figure = canvas(0.75 + sum(0.35 + _HEIGHT * len(panel) for panel in panels))
    axes = figure.subplots(
        len(rows), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [len(panel) + 1 for panel in panels]}
    )
    for place, (name, panel) in enumerate(zip(rows, panels, strict=True)):
        intervals(axes[place, 0], panel, [_seeds(table, name, task) for task, _ in panel])
        axes[place, 0].set_title(shortened(name, 80), loc="left", fontsize=8.5)
    kind = "95% confidence interval" if table.primary == "twins" else "exploratory, 95% confidence interval"
    axes[-1, 0].set_xlabel(f"trained together minus trained alone, in the metric of the task ({kind})")
    return figure


def _seeds(table: Table, row: str, task: str) -> list[_SeedPoint]:
    """Return the gain of each seed in a task, or in the average over tasks."""
    twins = [(table.row(each.twin), each.task) for each in table.twins if each.row == row and each.twin is not None]
    alone = [each for each in twins if task in ("average", each[1])]
    return differences_by_seed(table.row(row), alone, task)


_TWINS = Drawing(
    "Gain or loss of each task by multitask training, compared with its single-task twin, with 95% confidence "
    "intervals. Filled: significant at 5% after Holm's correction (blue: gain, orange: loss). Hollow: not significant. "
    + _LEGEND,
    describe_twins,
    draw_twins,
)

SHOWN = len(SERIES) - 1
"""Number of coloured rows in addition to the baseline. More colours would be hard to distinguish."""


def describe_curves(table: Table) -> str | None:
    """Return the last values of the highlighted curves in words."""
    by_row = {curve.row: curve for curve in table.curves if curve.column == "average"}
    ends = {name: curve.mean[-1] for name, curve in by_row.items() if curve.mean}
    parts = [f"{name} ends at {words.score(ends[name])}" for name in highlighted(table) if ends.get(name) is not None]
    if not parts:
        return None
    return f"Dev average by epoch (mean and range over seeds) of the baseline and the best rows: {'; '.join(parts)}."


def highlighted(table: Table) -> list[str]:
    """Return the baseline, then the rows with the highest values."""
    drawn = {curve.row for curve in table.curves}
    candidates = []
    for row in table.listed:
        value = row.figures.of(table.metric)
        if row.name in drawn and row.name != table.baseline and value is not None:
            candidates.append((-value.mean, row.name))
    baseline = [table.baseline] if table.baseline in drawn else []
    return baseline + [name for _, name in sorted(candidates)[:SHOWN]]


def draw_curves(table: Table) -> Figure:
    """Draw one panel for the average and one for each task. Rows that are not highlighted are thin and grey."""
    columns = list(dict.fromkeys(curve.column for curve in table.curves))
    metrics = {task.name: f"{task.name} ({task.metric})" for task in table.tasks}
    chosen = highlighted(table)
    across = min(2, len(columns))
    down = -(-len(columns) // across)
    figure = canvas(0.5 + 2.2 * down + 0.17 * len(chosen))
    panels = figure.subplots(down, across, squeeze=False).ravel()
    for axes, column in zip(panels, columns, strict=False):
        for curve in table.curves:
            if curve.column == column:
                _curve(axes, curve, chosen)
        axes.set_title(metrics.get(column, column), loc="left", fontsize=8.5)
        axes.set_xlabel("epoch")
        light_grid(axes, "y")
        axes.xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[len(columns) :]:
        axes.set_visible(False)
    legend_below(figure, panels[0], chosen)
    return figure


def _curve(axes: Axes, curve: RowCurve, chosen: list[str]) -> None:
    epochs, mean = np.array(curve.epochs), _numbers(curve.mean)
    colour = (
        GREY if curve.row not in chosen else (INK if curve.row == chosen[0] else SERIES[chosen.index(curve.row) - 1])
    )
    points = [(epoch, value) for epoch, values in zip(curve.epochs, curve.points, strict=True) for value in values]
    if points:
        at, values = zip(*points, strict=True)
        axes.plot(at, _numbers(values), ".", color=colour, markersize=2.5, alpha=0.4, zorder=1)
    if curve.row not in chosen:
        axes.plot(epochs, mean, color=GREY, linewidth=0.7, alpha=0.7, zorder=1)
        return
    place = chosen.index(curve.row)
    style = "--" if place == 0 else "-"
    axes.plot(epochs, mean, style, color=colour, linewidth=1.5, marker=".", markersize=5, label=label_of(curve.row))
    axes.fill_between(epochs, _numbers(curve.low), _numbers(curve.high), color=colour, alpha=0.13, linewidth=0)


def _numbers(values: tuple[float | None, ...]) -> NDArray[np.float64]:
    return np.array([np.nan if value is None else value for value in values])


_CURVES = Drawing(
    "Dev metrics by epoch. Lines: mean over seeds. Bands: lowest to highest seed. Dashed: the baseline. Coloured: the "
    "rows with the highest values. Grey: the other rows. Small points: single seeds, collapsed ones included.",
    describe_curves,
    draw_curves,
)


def _points(table: Table) -> list[tuple[float, Interval, str]]:
    """Return (seconds, value, row) of every row with times and a value, the fastest first."""
    seconds = {timing.row: timing.mean for timing in table.timings}
    points = []
    for row in table.listed:
        value = row.figures.of(table.metric)
        if row.name in seconds and value is not None:
            points.append((seconds[row.name], value, row.name))
    return sorted(points, key=lambda entry: (entry[0], entry[2]))


def front(points: list[tuple[float, Interval, str]]) -> list[tuple[float, Interval, str]]:
    """Return the points whose value no faster point reaches."""
    kept: list[tuple[float, Interval, str]] = []
    for entry in points:
        if not kept or entry[1].mean > kept[-1][1].mean:
            kept.append(entry)
    return kept


def describe_times(table: Table) -> str | None:
    """Return the Pareto front in words."""
    points = _points(table)
    if len(points) < 2:
        return None
    parts = [f"{name}: {words.score(value.mean)} in {seconds:.0f} s" for seconds, value, name in front(points)]
    metric = table.metric.replace("_", " ")
    return f"{table.measured_on.capitalize()} {metric} against training time. Pareto front: {'; '.join(parts)}."


def draw_times(table: Table) -> Figure:
    """Draw every row as a point with its interval. The rows on the Pareto front are numbered and named."""
    points = _points(table)
    best = front(points)
    figure = canvas(3.8 + 0.15 * len(best))
    axes = figure.add_subplot()
    times = {timing.row: timing.points for timing in table.timings}
    for seconds, value, name in points:
        colour = BLUE if any(name == other for _, _, other in best) else GREY
        of_seed = dict(zip(table.row(name).seeds, times[name], strict=True))
        seeds = values_by_seed(table.row(name), table.metric)
        _draw_seeds(axes, [(of_seed[each.seed], each.value, each.collapsed) for each in seeds], colour)
        if value.low is not None and value.high is not None:
            axes.plot([seconds, seconds], [value.low, value.high], color=colour, linewidth=0.8, alpha=0.6)
        axes.plot([seconds], [value.mean], marker="o", markersize=4.5, color=colour)
    axes.step([entry[0] for entry in best], [entry[1].mean for entry in best], where="post", color=BLUE, linewidth=0.9)
    for number, (seconds, value, _) in enumerate(best, start=1):
        # Neighbours on the front may be close, so their numbers alternate between left and right.
        side, align = (-5, "right") if number % 2 else (5, "left")
        axes.annotate(
            str(number), (seconds, value.mean), xytext=(side, 4), textcoords="offset points", ha=align, color=BLUE
        )
    names = [f"{number}  {shortened(name, 80)}" for number, (_, _, name) in enumerate(best, start=1)]
    axes.set_xlabel("training time per run in seconds (mean over seeds)\n" + "\n".join(names), loc="left")
    axes.set_ylabel(f"{table.measured_on} {table.metric.replace('_', ' ')}")
    if points[-1][0] > 10 * points[0][0]:
        axes.set_xscale("log")
    light_grid(axes, "y")
    return figure


_PARETO = Drawing(
    "Metric against training time, with 95% confidence intervals. Blue: the Pareto front, rows whose value no "
    "faster row reaches. The times were measured with parallel runs on the same machine and exclude pretraining. "
    + _LEGEND,
    describe_times,
    draw_times,
)

STEP = 0.035
"""Distance of the lines of points below the axis."""


def _highlighted_profiles(table: Table) -> list[str]:
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
    parts = [
        f"{name} {words.score(iqm.mean)}"
        for name in _highlighted_profiles(table)
        if (iqm := means.get(name)) is not None
    ]
    count = len(table.across_tasks.tasks)
    return (
        f"Share of scores above each value, over {count} tasks and all seeds. Interquartile means: {'; '.join(parts)}."
    )


def draw_profiles(table: Table) -> Figure:
    """Draw one step line per row. Rows that are not highlighted are thin and grey."""
    chosen = _highlighted_profiles(table)
    figure = canvas(2.8 + 0.17 * len(chosen))
    axes = figure.add_subplot()
    across = table.across_tasks
    for profile in () if across is None else across.profiles:
        _profile(axes, () if across is None else across.thresholds, profile, chosen)
    axes.set_xlabel("metric of a task")
    axes.set_ylabel("share of scores above it")
    _scores(axes, table, chosen)
    axes.set_ylim(-0.05 - STEP * len(chosen), 1.02)
    axes.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
    light_grid(axes, "y")
    legend_below(figure, axes, chosen)
    return figure


def _scores(axes: Axes, table: Table, chosen: list[str]) -> None:
    """Draw the scores of each highlighted row below the axis, one line of points per row."""
    tasks = () if table.across_tasks is None else table.across_tasks.tasks
    for place, name in enumerate(chosen):
        colour = INK if place == 0 else SERIES[place - 1]
        row = table.row(name)
        scores = (point for task in tasks for point in values_by_seed(row, task))
        _draw_seeds(axes, ((point.value, -0.04 - STEP * place, point.collapsed) for point in scores), colour)


def _profile(axes: Axes, thresholds: tuple[float, ...], profile: Profile, chosen: list[str]) -> None:
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


_PROFILES = Drawing(
    "Performance profiles (exploratory): the share of the scores of a row, over tasks and seeds, above each value. "
    "Dashed: the baseline. Coloured: the rows with the highest interquartile means. Grey: the other rows. "
    f"{_LEGEND}",
    describe_profiles,
    draw_profiles,
)


def _ranked(table: Table) -> list[tuple[str, float]]:
    """Return the rows and their mean ranks, the best first. Empty without a critical difference."""
    if table.across_tasks is None or table.across_tasks.critical_difference is None:
        return []
    return sorted(((row.row, row.mean_rank) for row in table.across_tasks.rows), key=lambda entry: entry[1])


def ranks_by_seed(table: Table, name: str) -> list[_SeedPoint]:
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
            found.append(_SeedPoint(seed, mean, any(seed in row.collapsed for row in rows)))
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
    figure = canvas(1.0 + _HEIGHT * len(ranked))
    axes = figure.add_subplot()
    for place, (name, rank) in enumerate(ranked):
        colour = INK if name == table.baseline else BLUE
        axes.plot([1, rank], [place, place], color=GREY, linewidth=0.6)
        axes.plot([rank], [place], marker="o", markersize=4.5, color=colour)
        points = ranks_by_seed(table, name)
        _draw_seeds(axes, ((point.value, place, point.collapsed) for point in points), colour)
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


_RANKS = Drawing(
    "Critical-difference diagram (exploratory): the mean rank of each row over the tasks. Vertical bars join rows "
    f"whose ranks differ by less than Nemenyi's critical difference. Black: the baseline. {_LEGEND}",
    describe_ranks,
    draw_ranks,
)

FIGURES: dict[str, Drawing] = {
    "differences": _FOREST,
    "curves": _CURVES,
    "twins": _TWINS,
    "time": _PARETO,
    "profiles": _PROFILES,
    "ranks": _RANKS,
}
"""Figures by file name."""


def draw_power(power: Power) -> Figure:
    """Draw the power for each difference, and the smallest difference that is found, by the number of seeds.

    Bands are 95% intervals for the unknown variances. Dotted: 80% power. Without comparisons: the precision of a row.
    """
    figure = canvas(3.2)
    if not power.comparisons:
        _draw_precision(figure.add_subplot(), power)
        return figure
    left, right = figure.subplots(1, 2)
    seeds = [each.seeds for each in power.by_seeds]
    for place, (difference, colour) in enumerate(zip(power.differences, itertools.cycle(SERIES), strict=False)):
        found = np.array([each.power[place] for each in power.by_seeds], np.float64).reshape(-1, 3)
        left.fill_between(seeds, found[:, 1], found[:, 2], color=colour, alpha=0.15, linewidth=0)
        left.plot(seeds, found[:, 0], "o-", color=colour, markersize=3, label=f"difference {difference:g}")
    left.axhline(LIKELY, color=GREY, linewidth=0.8, linestyle=":")
    left.set_ylim(0, 1.02)
    left.set_ylabel("power")
    left.legend(loc="best")
    lows, highs = [each.low for each in power.by_seeds], [each.high for each in power.by_seeds]
    right.fill_between(seeds, lows, highs, color=BLUE, alpha=0.15, linewidth=0)
    right.plot(seeds, [each.smallest for each in power.by_seeds], "o-", color=BLUE, markersize=3)
    right.set_ylim(bottom=0)
    right.set_ylabel(f"smallest difference found with {LIKELY:.0%} power")
    _by_seeds(left)
    _by_seeds(right)
    return figure


def _draw_precision(axes: Axes, power: Power) -> None:
    seeds = [each.seeds for each in power.precision]
    widths = [each.half_width for each in power.precision]
    axes.plot(seeds, widths, "o-", color=BLUE, markersize=3, label="half the width of the 95% interval")
    errors = [each.standard_error for each in power.precision]
    axes.plot(seeds, errors, "o-", color=ORANGE, markersize=3, label="standard error")
    axes.set_ylim(bottom=0)
    axes.set_ylabel(f"precision of the mean in {power.metric}")
    axes.legend(loc="upper right")
    _by_seeds(axes)


def _by_seeds(axes: Axes) -> None:
    axes.set_xlabel("seeds")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    light_grid(axes, "y")
