"""Intervals, paired differences, Holm's correction, and the set of rows that may be the best."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TypeVar

import numpy as np

from manyheads.evaluation.estimate import Estimate, contrast
from manyheads.evaluation.moderation import NO_PRIOR, Prior, prior_of
from manyheads.evaluation.multiple import holm
from manyheads.evaluation.sample import Sample
from manyheads.studies.table import Difference, Interval, rounded, rounded_p

Key = TypeVar("Key", bound=Hashable)


def interval(samples: Sequence[Sample] | None, planned: int = 1) -> Interval | None:
    """Return the mean over seeds and tasks with its 95% confidence interval.

    `planned`: the number of seeds of the study. With one finished seed of several, the seed variance is unknown, and
    there is no interval.
    """
    if samples is None:
        return None
    estimate = contrast([samples], [1.0])
    if planned > 1 and not estimate.seeds_known:
        return Interval(rounded(estimate.mean), None, None)
    return Interval(rounded(estimate.mean), rounded(estimate.low), rounded(estimate.high))


def prior_over(rows: Iterable[Sequence[Sample] | None]) -> Prior:
    """Return what the values of all rows say about the seed variance.

    Rows with other tasks than the first do not count.
    """
    known = [samples for samples in rows if samples is not None]
    same = [samples for samples in known if _tasks(samples) == _tasks(known[0])]
    return prior_of([(samples[0].seeds or (), np.mean([part.values for part in samples], axis=0)) for samples in same])


def paired_difference(
    one: Sequence[Sample] | None, other: Sequence[Sample] | None, prior: Prior = NO_PRIOR
) -> Estimate | None:
    """Estimate the first row minus the second. None if one of them is undefined or they have different tasks."""
    if one is None or other is None or not same_tasks(one, other):
        return None
    order = _tasks(one)
    return contrast([one, sorted(other, key=lambda part: order.index(part.task))], [1.0, -1.0], prior=prior)


def same_tasks(one: Sequence[Sample], other: Sequence[Sample]) -> bool:
    """Return whether two rows have the same tasks, in any order."""
    return sorted(_tasks(one)) == sorted(_tasks(other))


def _tasks(samples: Sequence[Sample]) -> list[str]:
    return [part.task for part in samples]


def holm_corrected(family: Mapping[Key, Estimate | None], planned: int = 1) -> dict[Key, Difference | None]:
    """Return one family of comparisons with p values that are corrected over the family (Holm 1979).

    `planned`: the number of seeds of the study; see `interval`.
    """
    p_values = holm([None if estimate is None else estimate.p for estimate in family.values()])
    return {
        key: None if estimate is None else difference(estimate, p_holm, planned)
        for (key, estimate), p_holm in zip(family.items(), p_values, strict=True)
    }


def difference(estimate: Estimate, p_holm: float | None, planned: int) -> Difference:
    """Return an estimate in the form of the table."""
    bounded = estimate.seeds_known or planned == 1
    return Difference(
        mean=rounded(estimate.mean),
        low=rounded(estimate.low) if bounded else None,
        high=rounded(estimate.high) if bounded else None,
        p=rounded_p(estimate.p),
        p_holm=rounded_p(p_holm),
    )


def may_be_best(
    rows: Mapping[str, Sequence[Sample] | None],
    prior: Prior = NO_PRIOR,
    level: float = 0.95,
    over_looks: Callable[[float], float] | None = None,
) -> dict[str, bool | None]:
    """Return for each row whether it belongs to the set that contains the truly best row with confidence `level`.

    A row is excluded if the row with the highest mean is significantly better. The test is one-sided at 1 - level and
    corrected for the number of rows (multiple comparisons with the best, Hsu 1984, with the Bonferroni bound instead of
    Dunnett's). The value is None if the row is undefined or has too few seeds for a test. `over_looks`: makes a p value
    one over all planned looks.
    """
    known = {name: samples for name, samples in rows.items() if samples is not None}
    if not known:
        return dict.fromkeys(rows)
    means = {name: contrast([samples], [1.0]).mean for name, samples in known.items()}
    top = max(means, key=lambda name: means[name])
    in_set: dict[str, bool | None] = dict.fromkeys(rows)
    for name, samples in known.items():
        gap = None if name == top else paired_difference(known[top], samples, prior)
        if name == top:
            in_set[name] = True
        elif gap is not None and gap.p is not None:
            in_set[name] = (gap.p if over_looks is None else over_looks(gap.p)) / 2 * (len(known) - 1) >= 1 - level
    if len(known) > 1 and all(member is None for name, member in in_set.items() if name != top):
        in_set[top] = None
    return in_set
