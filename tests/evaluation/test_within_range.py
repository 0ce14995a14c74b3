"""Intervals of means: within the range of the metric, never of zero width, and Wilson's for one run."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from manyheads.evaluation.estimate import contrast, wilson
from manyheads.evaluation.interval import measured
from manyheads.evaluation.sample import sample


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 300), st.data())
def test_the_interval_of_one_run_is_that_of_wilson(count: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, count))
    expected = stats.binomtest(hits, count).proportion_ci(method="wilson")
    right = np.arange(count) < hits
    found = measured("accuracy", right.astype(float), np.ones(count))
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high), abs=1e-9)
    assert wilson(hits / count, count, 0.05) == pytest.approx((expected.low, expected.high), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(["accuracy", "macro_f1", "mcc"]),
    st.integers(1, 4),
    st.integers(4, 40),
    st.integers(0, 10_000),
    st.floats(0, 1),
)
def test_intervals_are_within_the_range_and_have_a_width(
    metric: str, seeds: int, n: int, seed: int, skill: float
) -> None:
    rng = np.random.default_rng(seed)
    targets = np.concatenate([[0.0, 1.0], rng.integers(0, 2, n - 2)])
    right = rng.random((seeds, n)) < skill
    one = sample(metric, np.where(right, targets, 1 - targets), targets)
    if one is None:
        return
    found = contrast([[one]], [1.0])
    low = -1.0 if metric == "mcc" else 0.0
    assert low <= found.low < found.high <= 1
    assert found.low <= found.mean <= found.high


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "mcc", "pearson", "spearman"])
def test_perfect_seeds_have_an_interval(metric: str) -> None:
    targets = np.arange(40.0) % 2 if metric in ("accuracy", "macro_f1", "mcc") else np.arange(40.0)
    one = sample(metric, np.stack([targets] * 3), targets)
    assert one is not None
    found = contrast([[one]], [1.0])
    assert found.low < 1 - 0.05
    assert found.high == pytest.approx(1)


def test_rows_without_a_disagreement_have_an_interval_of_the_difference() -> None:
    """Bonett and Price (2012) for one run: two further pairs, one in each direction."""
    targets = np.ones(200)
    predicted = targets.copy()
    predicted[:20] = 0
    one = sample("accuracy", predicted[None], targets)
    assert one is not None
    found = contrast([[one], [one]], [1.0, -1.0])
    assert found.high == pytest.approx(1.96 * np.sqrt(2) / 200, rel=0.02)
    assert found.low == -found.high


def test_an_average_of_perfect_tasks_has_an_interval_below_one() -> None:
    targets = np.arange(40.0) % 2
    one = sample("accuracy", np.stack([targets] * 3), targets)
    assert one is not None
    found = contrast([[one, one]], [1.0])
    assert found.low < 0.95
    assert found.high == 1
