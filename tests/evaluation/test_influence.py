"""Influences of examples on metrics, checked against the jackknife and against simulated samples."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.sample import sample
from manyheads.tasks.kind import Predictions

N = 400

EARLIEST = ["accuracy", "macro_f1", "mcc", "pearson", "rmse", "spearman"]
"""Metrics of predicted classes or values. The contract suite tests the whole menu."""


def make(metric: str, seed: int, n: int = N) -> tuple[np.ndarray, np.ndarray]:
    """Return predictions and targets of n examples: classes or values, as the metric requires."""
    rng = np.random.default_rng(seed)
    targets = rng.standard_normal(n)
    predicted = targets + 0.7 * rng.standard_normal(n)
    if metric in ("accuracy", "macro_f1", "mcc"):
        cuts = [-0.8, 0.1, 0.9]
        return np.digitize(predicted, cuts).astype(float), np.digitize(targets, cuts).astype(float)
    return predicted, targets


@pytest.mark.parametrize("metric", EARLIEST)
def test_every_metric_has_an_influence_of_mean_zero(metric: str) -> None:
    predicted, targets = make(metric, 0)
    found = sample(metric, np.stack([predicted, make(metric, 0)[0][::-1]]), targets)
    assert found is not None
    assert found.values[0] == METRICS[metric].function(Predictions(predicted, None), targets)
    assert found.influence.shape == (2, N)
    np.testing.assert_allclose(found.influence.mean(axis=1), 0, atol=1e-12)


@pytest.mark.parametrize("metric", EARLIEST)
def test_an_influence_is_the_effect_of_deleting_the_example(metric: str) -> None:
    """The influence agrees with that of the jackknife, (n - 1)(whole - without), up to 1/n."""
    predicted, targets = make(metric, 1)
    found, value = sample(metric, predicted[None], targets), METRICS[metric].function
    assert found is not None
    jackknife = np.array(
        [found.values[0] - value(Predictions(np.delete(predicted, i), None), np.delete(targets, i)) for i in range(N)]
    ) * (N - 1)
    scale = found.influence[0].std()
    assert np.abs(jackknife - jackknife.mean() - found.influence[0]).max() < 0.2 * scale


@pytest.mark.parametrize("metric", EARLIEST)
def test_the_spread_of_influences_is_the_spread_over_samples(metric: str) -> None:
    """The variance of a metric over samples of n examples is the variance of the influences divided by n."""
    values, spreads = [], []
    for seed in range(150):
        predicted, targets = make(metric, seed, 200)
        found = sample(metric, predicted[None], targets)
        assert found is not None
        values.append(found.values[0])
        spreads.append(found.influence[0].var(ddof=1) / 200)
    # The relative standard deviation of a variance from 150 samples is 12%. The tolerance is three times that.
    assert np.mean(spreads) / np.var(values, ddof=1) == pytest.approx(1.0, abs=0.35)


@settings(deadline=None, max_examples=80)
@given(
    st.sampled_from(["macro_f1", "mcc"]),
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=3, max_size=25),
)
def test_influences_of_class_metrics_are_the_jackknife_exactly(metric: str, cells: list[tuple[int, int]]) -> None:
    """Without an example a class may disappear, or the metric may be undefined (0)."""
    predicted, targets = np.array(cells, dtype=np.float64).T
    whole = METRICS[metric].function(Predictions(predicted, None), targets)
    if whole is None:
        return
    expected = []
    for place in range(len(targets)):
        without = METRICS[metric].function(Predictions(np.delete(predicted, place), None), np.delete(targets, place))
        expected.append((len(targets) - 1) * (whole - (without or 0.0)))
    np.testing.assert_allclose(METRICS[metric].influence(Predictions(predicted, None), targets), expected, atol=1e-9)


def test_spearman_with_ties_uses_mean_ranks() -> None:
    rng = np.random.default_rng(3)
    targets = rng.integers(0, 6, 500).astype(float)
    predicted = targets + rng.standard_normal(500)
    jackknife = sample("spearman", predicted[None], targets)
    assert jackknife is not None
    without = METRICS["spearman"].function(Predictions(predicted[1:], None), targets[1:])
    assert without is not None
    assert (jackknife.values[0] - without) * 499 == pytest.approx(jackknife.influence[0, 0], abs=0.15)


def test_an_undefined_metric_has_no_sample() -> None:
    targets = np.arange(10.0)
    assert sample("pearson", np.stack([targets, np.ones(10)]), targets) is None
