"""What the figures of a study share: a drawing with its words, and the single seeds behind a mean."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from manyheads.pages.figures import figure_files
from manyheads.studies.table import Table, TableRow

LEGEND = "Small points: single seeds. Crosses: collapsed seeds, which the means do not include."


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
class SeedPoint:
    """One seed. `collapsed`: whether it is collapsed in one of the rows."""

    seed: int
    value: float
    collapsed: bool


def values_by_seed(row: TableRow, metric: str) -> list[SeedPoint]:
    """Return the value of each finished seed of a row."""
    return [
        SeedPoint(seed, value, seed in row.collapsed)
        for seed in row.seeds
        if (value := row.point(metric, seed)) is not None
    ]


def differences_by_seed(row: TableRow, others: Sequence[tuple[TableRow, str]], metric: str) -> list[SeedPoint]:
    """Return a row minus the mean of other rows for each seed that all have. `others`: rows and their metrics."""
    found = []
    for point in values_by_seed(row, metric):
        values = [other.point(name, point.seed) for other, name in others]
        known = [value for value in values if value is not None]
        if known and len(known) == len(values):
            collapsed = point.collapsed or any(point.seed in other.collapsed for other, _ in others)
            found.append(SeedPoint(point.seed, point.value - sum(known) / len(known), collapsed))
    return found


def draw_seeds(axes: Axes, points: Iterable[tuple[float, float, bool]], colour: str) -> None:
    """Draw small points at (x, y). Those of collapsed seeds are crosses."""
    marks: dict[str, list[tuple[float, float]]] = {".": [], "x": []}
    for x, y, collapsed in points:
        marks["x" if collapsed else "."].append((x, y))
    for marker, places in marks.items():
        if places:
            xs, ys = zip(*places, strict=True)
            axes.plot(xs, ys, marker=marker, linestyle="none", markersize=3.5, color=colour, alpha=0.55, zorder=1.5)
