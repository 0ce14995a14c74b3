"""Estimates in a table's terms: intervals, differences, and which rows may be the best."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

from manyheads.evaluation.estimate import Estimate, Sample, contrast
from manyheads.evaluation.multiple import holm
from manyheads.study.table import Difference, Interval, tidy

Key = TypeVar("Key", bound=Hashable)


def interval(samples: Sequence[Sample] | None) -> Interval | None:
    """The mean over seeds and tasks with its interval."""
    if samples is None:
        return None
    found = contrast([samples], [1.0])
    return Interval(tidy(found.mean), tidy(found.low), tidy(found.high))


def less(one: Sequence[Sample] | None, other: Sequence[Sample] | None) -> Estimate | None:
    """The first row's figure less the second's; None where one is undefined or they have other tasks."""
    if one is None or other is None or len(one) != len(other):
        return None
    return contrast([one, other], [1.0, -1.0])


def corrected(family: Mapping[Key, Estimate | None]) -> dict[Key, Difference | None]:
    """The estimates of one family of comparisons, with p values corrected over it (Holm 1979)."""
    tested = holm([None if found is None else found.p for found in family.values()])
    return {
        key: None if found is None else difference(found, p_holm)
        for (key, found), p_holm in zip(family.items(), tested, strict=True)
    }


def difference(found: Estimate, p_holm: float | None) -> Difference:
    """An estimate as a table keeps it."""
    return Difference(
        mean=tidy(found.mean),
        low=tidy(found.low),
        high=tidy(found.high),
        p=None if found.p is None else tidy(found.p),
        p_holm=None if p_holm is None else tidy(p_holm),
    )


def may_be_best(rows: Mapping[str, Sequence[Sample] | None], level: float = 0.95) -> dict[str, bool | None]:
    """For each row whether it belongs to a set that holds the truly best row with the chance `level`.

    A row is left out where the row of the highest mean is better at 1 - level, one-sided, corrected for the number of
    rows that could have come out highest (multiple comparisons with the best, Hsu 1984, with Bonferroni's bound in
    place of Dunnett's). None where a row is undefined or seeds are too few to say.
    """
    known = {name: samples for name, samples in rows.items() if samples is not None}
    if not known:
        return dict.fromkeys(rows)
    means = {name: contrast([samples], [1.0]).mean for name, samples in known.items()}
    top = max(means, key=lambda name: means[name])
    found: dict[str, bool | None] = dict.fromkeys(rows)
    for name, samples in known.items():
        gap = None if name == top else less(known[top], samples)
        if name == top:
            found[name] = True
        elif gap is not None and gap.p is not None:
            found[name] = gap.p / 2 * (len(known) - 1) >= 1 - level
    if len(known) > 1 and all(answer is None for name, answer in found.items() if name != top):
        found[top] = None
    return found
