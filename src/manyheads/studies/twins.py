"""Gains of multitask training over single-task twins."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manyheads.evaluation.estimate import Estimate
from manyheads.evaluation.moderation import Prior
from manyheads.evaluation.sample import Sample
from manyheads.studies.compare import holm_corrected, interval, paired_difference
from manyheads.studies.plan import StudyPlan
from manyheads.studies.table import TwinGain

AVERAGE = "average"

Samples = list[Sample] | None


def twin_gains(
    plan: StudyPlan, of: Callable[[str, str], Samples], prior: Callable[[str], Prior]
) -> tuple[TwinGain, ...]:
    """Compute the gain of every task and of the average, for every row with twins. All are one family of comparisons.

    `of(row, metric)`: the samples whose mean is the metric of the row. `prior(metric)`: what the rows of the study say
    about its seed variance.
    """
    sides: dict[tuple[str, str], tuple[Samples, Samples, str | None]] = {}
    for row in dict.fromkeys(row.twin_of[0] for row in plan.rows if row.twin_of is not None):
        twins = {
            twin.twin_of[1]: twin.name for twin in plan.rows if twin.twin_of is not None and twin.twin_of[0] == row
        }
        for task, twin in twins.items():
            sides[row, task] = (of(row, task), of(twin, task), twin)
        sides[row, AVERAGE] = (of(row, AVERAGE), _joined([of(twin, task) for task, twin in twins.items()]), None)
    estimates: dict[tuple[str, str], Estimate | None] = {
        key: paired_difference(together, alone, prior(key[1])) for key, (together, alone, _) in sides.items()
    }
    planned = len(plan.seeds)
    gains = holm_corrected(estimates, planned)
    return tuple(
        TwinGain(row, task, twin, interval(together, planned), interval(alone, planned), gains[row, task])
        for (row, task), (together, alone, twin) in sides.items()
    )


def _joined(twins: Sequence[Samples]) -> Samples:
    """Join the twins of a row into one row with several tasks. None if one is undefined or has other seeds.

    The runs of twins are independent, while all tasks of an ordinary row share one run. The seed variance is correct in
    both cases because it is estimated from the mean over tasks of each seed.
    """
    parts = [part for samples in twins if samples is not None for part in samples]
    alike = len({part.seeds for part in parts}) == 1
    return parts if alike and len(parts) == len(twins) else None
