"""Planned looks: levels against published boundaries, and p values over all looks."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from manyheads.evaluation.looks import Spending, level_at, levels, over_looks, spent


@pytest.mark.parametrize(
    ("spending", "published"),
    [
        ("obrien-fleming", (4.8769, 3.3569, 2.6803, 2.2898, 2.0310)),
        ("pocock", (2.4380, 2.4268, 2.4101, 2.3966, 2.3859)),
    ],
)
def test_the_boundaries_are_the_published_ones(spending: Spending, published: tuple[float, ...]) -> None:
    """The program of Reboussin, DeMets, Kim and Lan (2000), five equal looks, two-sided 5%."""
    found = [float(stats.norm.isf(level / 2)) for level in levels(spending, (1, 2, 3, 4, 5))]
    assert found == pytest.approx(published, abs=2e-4)


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_the_whole_error_is_spent_at_the_end(spending: Spending) -> None:
    assert spent(spending, 1.0, 0.05) == 0.05
    shares = [spent(spending, fraction, 0.05) for fraction in (0.1, 0.3, 0.6, 0.9)]
    assert shares[0] > 0
    assert shares == sorted(shares)
    assert shares[-1] < 0.05
    assert levels(spending, (7,)) == pytest.approx((0.05,))


@pytest.mark.parametrize("spending", ["obrien-fleming", "pocock"])
def test_the_level_of_a_look_is_the_p_value_that_is_significant_over_all_looks(spending: Spending) -> None:
    for look, level in enumerate(levels(spending, (3, 5, 10))):
        assert over_looks(spending, (3, 5, 10), look, level) == pytest.approx(0.05, rel=2e-3)
        assert level_at(spending, (3, 5, 10), look, 0.05) == pytest.approx(level, rel=5e-3)


@settings(deadline=None, max_examples=50)
@given(st.floats(0, 1), st.floats(0, 1), st.integers(0, 2))
def test_p_values_over_all_looks_are_ordered_and_not_smaller(one: float, other: float, look: int) -> None:
    low, high = (over_looks("pocock", (3, 5, 10), look, p) for p in sorted((one, other)))
    assert low <= high <= 1
    assert over_looks("pocock", (3, 5, 10), look, one) >= min(one, 1 - 1e-6) * (1 - 1e-3)
