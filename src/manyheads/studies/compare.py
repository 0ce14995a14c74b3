"""Comparisons of the rows of a study: intervals, differences, margins, gains over twins, and their families of tests.

A study makes several families of comparisons. Each has its own correction, so the probability of a false statement
somewhere on the page is larger than 5%. It is at most 5% for the primary family, which the study file names before the
results are known. For the other families, the page-wide correction has the same guarantee over all tests of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

import numpy as np

from manyheads.evaluation.estimate import NO_PRIOR, Estimate, Prior, contrast, prior_of
from manyheads.evaluation.sample import Sample
from manyheads.evaluation.significance import AgainstMargin, against_margin, holm
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import (
    Difference,
    Effect,
    Interval,
    MarginTest,
    Table,
    TableRow,
    TwinGain,
    rounded,
    rounded_p,
)

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


TwinKey = tuple[str, str]
"""A row and a metric."""


def margin_tests(
    estimates: Mapping[TwinKey, Estimate | None],
    margins: Mapping[str, float],
    planned: int = 1,
    adjust: Callable[[float], float] | None = None,
) -> dict[TwinKey, MarginTest]:
    """Test one family of differences against the margins of their metrics.

    Non-inferiority and equivalence are corrected separately, each over the family (Holm 1979). `planned`: the number of
    seeds of the study; a row with one finished seed of several has no interval. `adjust`: makes a two-sided p value one
    over several looks at the study, before the correction.
    """
    found: dict[TwinKey, tuple[Estimate, AgainstMargin]] = {}
    for key, estimate in estimates.items():
        margin = margins.get(key[1])
        against = None if estimate is None or margin is None else against_margin(estimate, margin)
        if estimate is not None and against is not None:
            found[key] = (estimate, against)
    not_worse = holm([one_sided(each.p_not_worse, adjust) for _, each in found.values()])
    equivalent = holm([one_sided(each.p_equivalent, adjust) for _, each in found.values()])
    tests = {}
    for (key, (estimate, each)), worse_holm, equal_holm in zip(found.items(), not_worse, equivalent, strict=True):
        bounded = estimate.seeds_known or planned == 1
        tests[key] = MarginTest(
            margin=margins[key[1]],
            mean=rounded(estimate.mean),
            low=rounded(each.low) if bounded else None,
            high=rounded(each.high) if bounded else None,
            p_not_worse=rounded_p(each.p_not_worse),
            p_not_worse_holm=rounded_p(worse_holm),
            p_equivalent=rounded_p(each.p_equivalent),
            p_equivalent_holm=rounded_p(equal_holm),
        )
    return tests


def one_sided(p: float | None, adjust: Callable[[float], float] | None) -> float | None:
    """Return an adjusted one-sided p value. The two-sided test has twice the p value."""
    return p if p is None or adjust is None or p >= 0.5 else adjust(2 * p) / 2


def margin_notes(margins: Mapping[str, float]) -> list[str]:
    """Return how to read the margins of a study."""
    if not margins:
        return []
    listed = ", ".join(f"{margin:g} ({metric.replace('_', ' ')})" for metric, margin in margins.items())
    return [
        (
            f"Margins: {listed}. Not worse: the true difference is above -margin (one-sided test). Equivalent: it is "
            "between -margin and margin (two one-sided tests, Schuirmann 1987). Both tests are at 5%, with the 90% "
            "interval, and are significant if p (Holm) is below .05. Better and worse: the difference is significant "
            "and not equivalent. Undecided: none of these. The tests against the margin are families of their own: p "
            "(page) is corrected over all tests of this page."
        )
    ]


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


EFFECTS, TWINS, BASELINE = "effects", "twins", "baseline"

NAMES = {
    BASELINE: "the differences from the baseline in the metric of the study",
    TWINS: "the gains over single-task twins",
    EFFECTS: "the main effects and interactions together",
}

MARGIN_TESTS = NOT_WORSE, EQUIVALENT = "not worse", "equivalent"

Place = tuple[str, ...]


def in_families(table: Table, primary: str, adjust: Callable[[float], float] | None = None) -> Table:
    """Return the table with every test in its family: the primary one, or an exploratory one.

    If the effects are primary, main effects and interactions are one family, and are corrected together. All tests have
    a page-wide correction in addition (Holm 1979, over the tests of all families). `adjust`: makes a two-sided p value
    one over several looks at the study, before the page-wide correction.
    """
    if primary == EFFECTS:
        table = replace(table, effects=_together(table.effects))
    found = dict(_tests(table))
    page = dict(zip(found, holm([_adjusted(place, p, adjust) for place, p in found.items()]), strict=True))

    def placed(difference: Difference | None, place: Place) -> Difference | None:
        if difference is None:
            return None
        return replace(difference, p_page=rounded_p(page[place]), exploratory=place[0] != primary)

    def tested(test: MarginTest, place: Place) -> MarginTest:
        return replace(
            test,
            p_not_worse_page=rounded_p(page[NOT_WORSE, *place]),
            p_equivalent_page=rounded_p(page[EQUIVALENT, *place]),
            exploratory=place[0] != primary,
        )

    def row_of(row: TableRow) -> TableRow:
        own = row.same_as or row.name
        return replace(
            row,
            difference=placed(row.difference, (BASELINE, own)),
            differences={task: placed(each, _of_task(table, own, task)) for task, each in row.differences.items()},
            margins={metric: tested(each, _of_metric(table, own, metric)) for metric, each in row.margins.items()},
        )

    def gain_of(twin: TwinGain) -> TwinGain:
        return replace(twin, gain=placed(twin.gain, (TWINS, twin.row, twin.task)))

    def effect_of(effect: Effect) -> Effect:
        value = placed(effect.value, (EFFECTS, effect.kind, effect.name))
        return effect if value is None else replace(effect, value=value)

    return replace(
        table,
        primary=primary,
        rows=tuple(map(row_of, table.rows)),
        twins=tuple(map(gain_of, table.twins)),
        effects=tuple(map(effect_of, table.effects)),
    )


def families_notes(table: Table) -> Iterator[str]:
    """Yield what the primary family is, and how the other families are corrected. Nothing without tests."""
    families = {place[0] for place, p in _tests(table) if p is not None}
    if not families:
        return
    primary = (
        f"The primary family of tests is {NAMES[table.primary]}: the probability that any of its tests is significant "
        "by chance is at most 5%."
    )
    if families <= {table.primary}:
        yield primary
        return
    yield (
        f"{primary} All other tests are exploratory. Each of their families has its own correction, p (Holm). p (page) "
        "is corrected over all tests of this page, the primary ones included."
    )


def _tests(table: Table) -> Iterator[tuple[Place, float | None]]:
    """Yield the place and the p value of every test of the page. Rows that share their runs share their tests."""
    for row in table.rows:
        if row.same_as is not None:
            continue
        for place, difference in (
            ((BASELINE, row.name), row.difference),
            *((_of_task(table, row.name, task), each) for task, each in row.differences.items()),
        ):
            if difference is not None:
                yield place, difference.p
        for metric, test in row.margins.items():
            place = _of_metric(table, row.name, metric)
            yield (NOT_WORSE, *place), test.p_not_worse
            yield (EQUIVALENT, *place), test.p_equivalent
    for twin in table.twins:
        if twin.gain is not None:
            yield (TWINS, twin.row, twin.task), twin.gain.p
    for effect in table.effects:
        yield (EFFECTS, effect.kind, effect.name), effect.value.p


def _adjusted(place: Place, p: float | None, adjust: Callable[[float], float] | None) -> float | None:
    if place[0] in MARGIN_TESTS:
        return one_sided(p, adjust)
    return p if p is None or adjust is None else adjust(p)


def _of_task(table: Table, row: str, task: str) -> Place:
    """Return the place of a difference in the metric of a task. With one task, it is the difference of the row."""
    same = table.metric == task or (table.metric == "average" and len(table.tasks) == 1)
    return (BASELINE, row) if same else ("tasks", row, task)


def _of_metric(table: Table, row: str, metric: str) -> Place:
    return (BASELINE, row) if metric == table.metric else _of_task(table, row, metric)


def _together(effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
    corrected = holm([effect.value.p for effect in effects])
    return tuple(
        replace(effect, value=replace(effect.value, p_holm=rounded_p(p)))
        for effect, p in zip(effects, corrected, strict=True)
    )
