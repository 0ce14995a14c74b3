"""Families of tests: one primary family, and exploratory ones with a correction over the whole page in addition.

A study makes several families of comparisons. Each has its own correction, so the probability of a false statement
somewhere on the page is larger than 5%. It is at most 5% for the primary family, which the study file names before the
results are known. For the other families, the page-wide correction has the same guarantee over all tests of the page.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from manyheads.evaluation.significance import holm
from manyheads.studies.compare import one_sided
from manyheads.studies.table import Difference, Effect, MarginTest, Table, TableRow, TwinGain, rounded_p

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
