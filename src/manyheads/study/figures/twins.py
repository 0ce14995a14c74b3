"""What sharing did for each task: its metric trained together less that of the task trained alone."""

from __future__ import annotations

from matplotlib.figure import Figure

from manyheads.study.figures.forest import HEIGHT, intervals
from manyheads.study.figures.style import Drawing, canvas, shortened
from manyheads.study.render import words
from manyheads.study.table import Difference, Table


def _found(table: Table) -> list[tuple[str, str, Difference]]:
    return [(twin.row, twin.task, twin.gain) for twin in table.twins if twin.gain is not None]


def describe(table: Table) -> str | None:
    """The gains in words."""
    found = _found(table)
    if not found:
        return None
    parts = [
        f"{task} in {row} {words.signed(gain.mean)} {words.signed_bounds(gain)}"
        + (", significant after correction" if gain.clear else "")
        for row, task, gain in found
    ]
    return f"What training together did for each task, against the task alone, with 95% intervals: {'; '.join(parts)}."


def draw(table: Table) -> Figure:
    """A panel for each row that has twins."""
    found = _found(table)
    rows = list(dict.fromkeys(row for row, _, _ in found))
    panels = [[(task, gain) for row, task, gain in found if row == name] for name in rows]
    figure = canvas(0.75 + sum(0.35 + HEIGHT * len(panel) for panel in panels))
    axes = figure.subplots(
        len(rows), 1, sharex=True, squeeze=False, gridspec_kw={"height_ratios": [len(panel) + 1 for panel in panels]}
    )
    for place, (name, panel) in enumerate(zip(rows, panels, strict=True)):
        intervals(axes[place, 0], panel)
        axes[place, 0].set_title(shortened(name, 80), loc="left", fontsize=8.5)
    axes[-1, 0].set_xlabel("together less alone, in the task's metric (95% interval)")
    return figure


TWINS = Drawing(
    "Gain or loss of each task against its single-task twin, with 95% intervals. Filled: significant at 5% after "
    "Holm's correction; blue: sharing helped, orange: it hurt.",
    describe,
    draw,
)
