"""A study's metrics by epoch, and the times of its runs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.study.collect import Collected, Curve, RowRuns
from manyheads.study.plan import StudyPlan
from manyheads.study.table import RowCurve, Timing, tidy


def curves_of(plan: StudyPlan, collected: Collected) -> tuple[RowCurve, ...]:
    """Each row's average and metrics by epoch, twins left out: mean, lowest and highest over its seeds."""
    found: list[RowCurve] = []
    for row in plan.rows:
        runs = collected.rows[row.name]
        if row.twin_of is None and row.same_as is None and runs.curves:
            found += [_curve(row.name, column, runs.curves) for column in ("average", *row.recipe.tasks)]
    return tuple(found)


def timings_of(plan: StudyPlan, collected: Collected) -> tuple[Timing, ...]:
    """Training time of each row's finished runs; start-up, evaluation and pretraining left out."""
    found = []
    for row in plan.rows:
        runs: RowRuns = collected.rows[row.name]
        if row.same_as is None and runs.seconds:
            seconds = np.array(runs.seconds)
            hardware = tuple(sorted(set(runs.hardware)))
            found.append(Timing(row.name, tidy(seconds.mean()), tidy(seconds.min()), tidy(seconds.max()), hardware))
    return tuple(found)


def _curve(row: str, column: str, curves: Sequence[Curve]) -> RowCurve:
    """Runs are matched by epoch: one that stopped early ends before the others."""
    epochs = sorted({float(epoch) for curve in curves for epoch in curve.epochs})
    by_epoch = []
    for epoch in epochs:
        at = [curve.scores[column][curve.epochs == epoch] for curve in curves]
        by_epoch.append(np.concatenate(at))
    return RowCurve(
        row=row,
        column=column,
        epochs=tuple(tidy(epoch) for epoch in epochs),
        mean=tuple(_or_none(values.mean()) for values in by_epoch),
        low=tuple(_or_none(values.min()) for values in by_epoch),
        high=tuple(_or_none(values.max()) for values in by_epoch),
    )


def _or_none(value: float) -> float | None:
    return None if np.isnan(value) else tidy(value)
