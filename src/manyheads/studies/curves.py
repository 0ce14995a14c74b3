"""The metrics of a study by epoch, and the times of its runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.studies.collect import Collected, Curve, RowRuns
from manyheads.studies.plan import StudyPlan
from manyheads.studies.table import RowCurve, Timing, rounded


def curves_of(plan: StudyPlan, collected: Collected) -> tuple[RowCurve, ...]:
    """Return the average and the metrics of each row by epoch: mean, lowest and highest over seeds, without twins."""
    all_curves: list[RowCurve] = []
    for row in plan.rows:
        runs = collected.rows[row.name]
        if row.twin_of is None and row.same_as is None and runs.curves:
            all_curves += [_curve(row.name, column, runs.curves) for column in ("average", *row.recipe.tasks)]
    return tuple(all_curves)


def timings_of(plan: StudyPlan, collected: Collected) -> tuple[Timing, ...]:
    """Return the training times of the finished runs, without start-up, evaluation and pretraining."""
    timings = []
    for row in plan.rows:
        runs: RowRuns = collected.rows[row.name]
        if row.same_as is None and runs.seconds:
            seconds = np.array(runs.seconds)
            hardware = tuple(sorted(set(runs.hardware)))
            mean, low, high = rounded(seconds.mean()), rounded(seconds.min()), rounded(seconds.max())
            points = tuple(map(rounded, runs.seconds))
            timings.append(Timing(row.name, mean, low, high, hardware, points))
    return tuple(timings)


def _curve(row: str, column: str, curves: Sequence[Curve]) -> RowCurve:
    """Summarise the runs of a row by epoch. A run that stopped early has no later epochs."""
    epochs = sorted({float(epoch) for curve in curves for epoch in curve.epochs})
    by_epoch = []
    for epoch in epochs:
        at = [curve.scores[column][curve.epochs == epoch] for curve in curves]
        by_epoch.append(np.concatenate(at))
    return RowCurve(
        row=row,
        column=column,
        epochs=tuple(rounded(epoch) for epoch in epochs),
        mean=tuple(_or_none(values.mean()) for values in by_epoch),
        low=tuple(_or_none(values.min()) for values in by_epoch),
        high=tuple(_or_none(values.max()) for values in by_epoch),
        points=tuple(tuple(_or_none(value) for value in values) for values in by_epoch),
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else rounded(value)
