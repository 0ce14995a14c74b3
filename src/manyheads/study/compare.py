"""Intervals, paired differences, Holm's correction, and the set of rows that may be the best."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from manyheads.evaluation.estimate import Estimate, Sample, contrast
from manyheads.evaluation.multiple import holm
from manyheads.study.table import Difference, Interval, rounded, rounded_p

Key = TypeVar("Key", bound=Hashable)


def interval(samples: Sequence[Sample] | None) -> Interval | None:
    """Return the mean over seeds and tasks with its 95% confidence interval."""
    if samples is None:
        return None
    estimate = contrast([samples], [1.0])
    return Interval(rounded(estimate.mean), rounded(estimate.low), rounded(estimate.high))


def paired_difference(one: Sequence[Sample] | None, other: Sequence[Sample] | None) -> Estimate | None:
    """Estimate the first row minus the second. None if one of them is undefined or they have different tasks."""
    if one is None or other is None or len(one) != len(other):
        return None
    return contrast([one, other], [1.0, -1.0])


def holm_corrected(family: Mapping[Key, Estimate | None]) -> dict[Key, Difference | None]:
    """Return one family of comparisons with p values that are corrected over the family (Holm 1979)."""
    p_values = holm([None if estimate is None else estimate.p for estimate in family.values()])
    return {
        key: None if estimate is None else difference(estimate, p_holm)
        for (key, estimate), p_holm in zip(family.items(), p_values, strict=True)
    }


def difference(estimate: Estimate, p_holm: float | None) -> Difference:
    """Return an estimate in the form of the table."""
    return Difference(
        mean=rounded(estimate.mean),
        low=rounded(estimate.low),
        high=rounded(estimate.high),
        p=rounded_p(estimate.p),
        p_holm=rounded_p(p_holm),
    )


def may_be_best(rows: Mapping[str, Sequence[Sample] | None], level: float = 0.95) -> dict[str, bool | None]:
    """Return for each row whether it belongs to the set that contains the truly best row with confidence `level`.

    A row is excluded if the row with the highest mean is significantly better. The test is one-sided at 1 - level and
    corrected for the number of rows (multiple comparisons with the best, Hsu 1984, with the Bonferroni bound instead of
    Dunnett's). The value is None if the row is undefined or has too few seeds for a test.
    """
    known = {name: samples for name, samples in rows.items() if samples is not None}
    if not known:
        return dict.fromkeys(rows)
    means = {name: contrast([samples], [1.0]).mean for name, samples in known.items()}
    top = max(means, key=lambda name: means[name])
    in_set: dict[str, bool | None] = dict.fromkeys(rows)
    for name, samples in known.items():
        gap = None if name == top else paired_difference(known[top], samples)
        if name == top:
            in_set[name] = True
        elif gap is not None and gap.p is not None:
            in_set[name] = gap.p / 2 * (len(known) - 1) >= 1 - level
    if len(known) > 1 and all(member is None for name, member in in_set.items() if name != top):
        in_set[top] = None
    return in_set
