"""Tests against a margin agree with their intervals, and with scipy if it has the same test."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from manyheads.evaluation.estimate import Estimate, contrast
from manyheads.evaluation.sample import Sample
from manyheads.evaluation.significance import above_by, against_margin


def seeds(values: list[float]) -> list[Sample]:
    return [Sample(np.array(values), np.zeros((len(values), 50)), seeds=tuple(range(len(values))))]


def difference(one: list[float], other: list[float]) -> Estimate:
    return contrast([seeds(one), seeds(other)], [1.0, -1.0])


ONE, OTHER = [0.71, 0.74, 0.69, 0.75, 0.72], [0.70, 0.735, 0.70, 0.74, 0.721]


@pytest.mark.parametrize("value", [-0.02, -0.003, 0.0, 0.0028, 0.02])
def test_one_sided_tests_are_those_of_the_paired_t_test(value: float) -> None:
    found = above_by(difference(ONE, OTHER), value)
    expected = stats.ttest_1samp(np.subtract(ONE, OTHER), value, alternative="greater").pvalue
    assert found == pytest.approx(expected, rel=1e-6)


def test_equivalence_is_the_larger_of_two_one_sided_tests() -> None:
    gaps = np.subtract(ONE, OTHER)
    found = against_margin(difference(ONE, OTHER), 0.01)
    assert found is not None
    lower = stats.ttest_1samp(gaps, -0.01, alternative="greater").pvalue
    upper = stats.ttest_1samp(gaps, 0.01, alternative="less").pvalue
    assert found.p_not_worse == pytest.approx(lower, rel=1e-6)
    assert found.p_equivalent == pytest.approx(max(lower, upper), rel=1e-6)


def test_test_and_interval_agree_at_the_margin() -> None:
    estimate = difference(ONE, OTHER)
    wide = against_margin(estimate, 0.01)
    assert wide is not None
    for margin, inside in ((wide.high * 1.001, True), (wide.high * 0.999, False)):
        found = against_margin(estimate, margin)
        assert found is not None
        assert found.p_equivalent is not None
        assert (found.p_equivalent < 0.05) == inside


def test_one_seed_has_an_interval_and_no_test() -> None:
    found = against_margin(difference([0.7], [0.71]), 0.01)
    assert found is not None
    assert found.p_not_worse is None
    assert found.p_equivalent is None
