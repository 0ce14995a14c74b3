"""Margins: which rows of a study are equivalent to the baseline, or not worse."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from manyheads.evaluation.estimate import Estimate
from manyheads.evaluation.margin import AgainstMargin, against_margin
from manyheads.evaluation.multiple import holm
from manyheads.studies.table import MarginTest, rounded, rounded_p

Key = tuple[str, str]
"""A row and a metric."""


def margin_tests(
    estimates: Mapping[Key, Estimate | None],
    margins: Mapping[str, float],
    planned: int = 1,
    adjust: Callable[[float], float] | None = None,
) -> dict[Key, MarginTest]:
    """Test one family of differences against the margins of their metrics.

    Non-inferiority and equivalence are corrected separately, each over the family (Holm 1979). `planned`: the number of
    seeds of the study; a row with one finished seed of several has no interval. `adjust`: makes a two-sided p value one
    over several looks at the study, before the correction.
    """
    found: dict[Key, tuple[Estimate, AgainstMargin]] = {}
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
