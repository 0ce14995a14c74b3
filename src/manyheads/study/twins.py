"""Single-task twins: what training together did for each task of a row."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from manyheads.evaluation.estimate import Estimate, Sample
from manyheads.study.compare import corrected, interval, less
from manyheads.study.plan import StudyPlan
from manyheads.study.table import TwinGain

AVERAGE = "average"

Samples = list[Sample] | None


def twin_gains(plan: StudyPlan, of: Callable[[str, str], Samples]) -> tuple[TwinGain, ...]:
    """Each task's gain, and the average's, for every row that has twins: one family of comparisons.

    `of(row, metric)`: the samples whose mean is a row's figure.
    """
    sides: dict[tuple[str, str], tuple[Samples, Samples, str | None]] = {}
    for row in dict.fromkeys(row.twin_of[0] for row in plan.rows if row.twin_of is not None):
        twins = {
            twin.twin_of[1]: twin.name for twin in plan.rows if twin.twin_of is not None and twin.twin_of[0] == row
        }
        for task, twin in twins.items():
            sides[row, task] = (of(row, task), of(twin, task), twin)
        sides[row, AVERAGE] = (of(row, AVERAGE), _side_by_side([of(twin, task) for task, twin in twins.items()]), None)
    found: dict[tuple[str, str], Estimate | None] = {
        key: less(together, alone) for key, (together, alone, _) in sides.items()
    }
    gains = corrected(found)
    return tuple(
        TwinGain(row, task, twin, interval(together), interval(alone), gains[row, task])
        for (row, task), (together, alone, twin) in sides.items()
    )


def _side_by_side(twins: Sequence[Samples]) -> Samples:
    """All twins of a row as one row of several tasks; None where one is undefined or has other seeds.

    Their runs are independent, while those of a row's tasks are one run. The mean over twins of each seed has the
    right variance between seeds all the same, for that is measured on these means.
    """
    parts = [part for samples in twins if samples is not None for part in samples]
    alike = len({len(part.values) for part in parts}) == 1
    return parts if alike and len(parts) == len(twins) else None
