"""Estimates, checked against closed forms and against scipy if it has the same test."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from manyheads.evaluation.estimate import contrast
from manyheads.evaluation.sample import Sample, sample
from manyheads.evaluation.significance import holm


def only_seeds(values: list[float]) -> list[Sample]:
    """Return a row with seed variance and without sampling variance."""
    return [Sample(np.array(values), np.zeros((len(values), 50)))]


def only_examples(right: np.ndarray, seeds: int = 4) -> list[Sample]:
    """Return a row whose runs have equal predictions. `right`: float64[n] of 0 and 1."""
    same = np.tile(right - right.mean(), (seeds, 1))
    return [Sample(np.full(seeds, right.mean()), same)]


def test_one_row_without_sampling_variance_has_the_t_interval() -> None:
    values = [0.71, 0.74, 0.69, 0.75, 0.72]
    found = contrast([only_seeds(values)], [1.0])
    low, high = stats.t.interval(0.95, 4, np.mean(values), stats.sem(values))
    assert (found.low, found.high) == pytest.approx((low, high))
    assert found.p == pytest.approx(max(1e-12, stats.ttest_1samp(values, 0).pvalue), rel=1e-3)
    assert found.df == pytest.approx(4)


def test_two_rows_without_sampling_variance_give_welchs_test() -> None:
    one, other = [0.71, 0.74, 0.69, 0.75, 0.72], [0.70, 0.73, 0.72]
    found = contrast([only_seeds(one), only_seeds(other)], [1.0, -1.0])
    expected = stats.ttest_ind(one, other, equal_var=False)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    assert found.df == pytest.approx(expected.df, rel=1e-3)


def test_rows_that_share_seeds_give_the_paired_t_test_over_seeds() -> None:
    one, other = [0.71, 0.74, 0.69, 0.75, 0.72], [0.70, 0.73, 0.70, 0.73, 0.71]
    rows = [[replace(part, seeds=(1, 2, 3, 4, 5)) for part in only_seeds(values)] for values in (one, other)]
    found = contrast(rows, [1.0, -1.0])
    expected = stats.ttest_rel(one, other)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_only_the_seeds_that_rows_share_are_compared() -> None:
    one = [replace(part, seeds=(1, 2, 3)) for part in only_seeds([0.71, 0.74, 0.69])]
    other = [replace(part, seeds=(3, 9, 2)) for part in only_seeds([0.70, 0.11, 0.73])]
    found = contrast([one, other], [1.0, -1.0])
    expected = stats.ttest_rel([0.74, 0.69], [0.73, 0.70])
    assert found.mean == pytest.approx(0.0)
    assert found.p == pytest.approx(expected.pvalue)


def test_a_shared_effect_of_the_seeds_cancels_in_a_main_effect() -> None:
    shared, own = np.array([0.0, 0.1, -0.1, 0.05]), np.array([0.001, -0.001, 0.0, 0.0])
    rows = [[replace(part, seeds=(1, 2, 3, 4)) for part in only_seeds(list(shared + k * own))] for k in range(4)]
    found = contrast(rows, [-0.5, -0.5, 0.5, 0.5])
    assert found.se == pytest.approx(2 * own.std(ddof=1) / 2, rel=1e-6)


def test_two_rows_without_seed_variance_give_the_paired_t_test() -> None:
    rng = np.random.default_rng(0)
    one, other = (rng.random(300) < 0.7).astype(float), (rng.random(300) < 0.6).astype(float)
    found = contrast([only_examples(one), only_examples(other)], [1.0, -1.0])
    expected = stats.ttest_rel(one, other)
    interval = expected.confidence_interval(0.95)
    assert found.p == pytest.approx(expected.pvalue, rel=1e-6)
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))


def test_the_difficulty_of_examples_cancels_in_a_difference() -> None:
    rng = np.random.default_rng(1)
    hard = rng.standard_normal(500)
    row = [Sample(np.array([0.7, 0.7]), np.tile(hard - hard.mean(), (2, 1)))]
    assert contrast([row, row], [1.0, -1.0]).se == 0
    assert contrast([row], [1.0]).se == pytest.approx(hard.std(ddof=1) / np.sqrt(500))


def test_tasks_share_seeds_and_have_independent_examples_in_an_average() -> None:
    rng = np.random.default_rng(2)
    noise = [rng.standard_normal(n) for n in (400, 900)]
    values = [np.array([0.5, 0.6, 0.7]), np.array([0.9, 0.8, 0.7])]
    row = [Sample(v, np.tile(e - e.mean(), (3, 1))) for v, e in zip(values, noise, strict=True)]
    # The seeds have opposite effects on the two tasks, so the average over tasks has no seed variance.
    expected = (noise[0].var(ddof=1) / 400 + noise[1].var(ddof=1) / 900) / 4
    assert contrast([row], [1.0]).se == pytest.approx(np.sqrt(expected))
    assert contrast([row], [1.0]).mean == pytest.approx(0.7)


def test_the_residual_is_counted_once() -> None:
    """With independent errors, the mean over S runs and n examples has the variance p(1 - p) / (S n)."""
    rng = np.random.default_rng(3)
    found = []
    for _ in range(200):
        right = (rng.random((5, 400)) < 0.7).astype(float)
        value = right.mean(axis=1)
        found.append(contrast([[Sample(value, right - value[:, None])]], [1.0]).se ** 2)
    assert np.mean(found) == pytest.approx(0.7 * 0.3 / 2000, rel=0.15)


def test_one_seed_gives_an_interval_of_sampling_variance_and_no_p() -> None:
    rng = np.random.default_rng(4)
    right = (rng.random(300) < 0.7).astype(float)
    found = contrast([only_examples(right, seeds=1)], [1.0])
    assert found.p is None
    assert not found.seeds_known
    assert found.high - found.mean == pytest.approx(stats.t.ppf(0.975, 299) * stats.sem(right))


def test_rows_with_different_examples_or_tasks_are_refused() -> None:
    rng = np.random.default_rng(5)
    one, other = (only_examples((rng.random(n) < 0.5).astype(float)) for n in (300, 301))
    with pytest.raises(ValueError, match="different tasks or numbers of examples"):
        contrast([one, other], [1.0, -1.0])
    with pytest.raises(ValueError, match="needs rows"):
        contrast([], [])
    with pytest.raises(ValueError, match="different seeds"):
        contrast([[*one, *only_examples(np.ones(10), seeds=2)]], [1.0])


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(2, 6), st.floats(0.0, 0.2), st.floats(-3, 3).filter(lambda w: abs(w) > 0.1))
def test_p_and_the_interval_agree(seed: int, seeds: int, spread: float, scale: float) -> None:
    rng = np.random.default_rng(seed)
    rows = []
    for _ in range(2):
        right = (rng.random((seeds, 200)) < 0.7 + spread * rng.standard_normal((seeds, 1))).astype(float)
        value = right.mean(axis=1)
        rows.append([Sample(value, right - value[:, None])])
    found = contrast(rows, [1.0, -1.0])
    if found.p is not None:
        assert (found.p < 0.05) == (found.low > 0 or found.high < 0)
        at_p = contrast(rows, [1.0, -1.0], level=1 - found.p)
        if 1e-9 < found.p < 0.999:
            assert min(abs(at_p.low), abs(at_p.high)) < 1e-6
        scaled = contrast(rows, [scale, -scale])
        assert scaled.p == pytest.approx(found.p, rel=1e-6)
        assert scaled.mean == pytest.approx(scale * found.mean)


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, None]) == [0.03, 0.06, 0.06, None]
    assert holm([]) == []
    assert holm([0.8, 0.9]) == [1.0, 1.0]


@settings(deadline=None, max_examples=100)
@given(st.lists(st.one_of(st.none(), st.floats(0, 1)), max_size=12))
def test_holms_p_is_between_p_and_bonferronis_p(p_values: list[float | None]) -> None:
    corrected = holm(p_values)
    count = sum(p is not None for p in p_values)
    known = [(p, c) for p, c in zip(p_values, corrected, strict=True) if p is not None and c is not None]
    assert len(known) == count
    assert all(p <= c <= min(1.0, count * p) + 1e-12 for p, c in known)
    assert [c for _, c in sorted(known)] == sorted(c for _, c in known)


def test_the_interval_of_a_difference_ends_at_the_largest_possible_one() -> None:
    rng = np.random.default_rng(0)
    targets = np.array([0.0, 1.0] * 15)
    rows = []
    for right in ([1.0, 0.1], [0.0, 0.4]):
        values = np.array([np.where(rng.random(30) < share, targets, 1 - targets) for share in right])
        found = sample("accuracy", values, targets, seeds=(1, 2))
        assert found is not None
        rows.append([found])
    difference = contrast(rows, [1.0, -1.0])
    assert difference.parts is not None
    assert difference.parts.half_width(0.05) > 1
    assert -1 <= difference.low < difference.high == 1
