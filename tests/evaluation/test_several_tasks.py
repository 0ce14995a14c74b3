"""Rows over several tasks: counts of improved tasks, bootstrap summaries, and ranks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from manyheads.evaluation.sample import Sample
from manyheads.evaluation.several_tasks import at_least, counted_at, profile, ranks, summaries


def test_partial_conjunction_by_bonferroni() -> None:
    """With u = 1 it is Bonferroni's test of any effect, with u = T the largest p value."""
    assert at_least([0.01, 0.04, 0.001]) == pytest.approx([0.003, 0.02, 0.04])
    assert at_least([0.02, 0.02, 0.9]) == pytest.approx([0.06, 0.06, 0.9])
    assert counted_at(at_least([0.01, 0.04, 0.001])) == 3
    assert counted_at(at_least([0.02, 0.02, 0.9])) == 0


def test_the_count_is_too_large_in_at_most_5_percent() -> None:
    """Two of five effects are real: three or more are counted rarely, also if the tests depend on one another."""
    rng = np.random.default_rng(3)
    wrong, trials = 0, 4000
    for _ in range(trials):
        shared, own = rng.normal(), rng.normal(size=5)
        z = 0.7 * shared + np.sqrt(1 - 0.49) * own + np.array([9, 9, 0, 0, 0])
        wrong += counted_at(at_least((2 * stats.norm.sf(np.abs(z))).tolist())) > 2
    assert wrong / trials < 0.06


def rows(gain: float, *, seeds: int = 6, tasks: int = 4) -> dict[str, list[Sample]]:
    rng = np.random.default_rng(1)
    found: dict[str, list[Sample]] = {}
    for name, extra in (("base", 0.0), ("new", gain)):
        found[name] = []
        for task in range(tasks):
            right = rng.uniform(size=(seeds, 200)) < 0.5 + 0.1 * task + extra
            values = right.mean(axis=1)
            found[name].append(Sample(values, right - values[:, None], tuple(range(seeds)), task=str(task)))
    return found


def test_summaries_are_the_interquartile_mean_and_the_probability_of_improvement() -> None:
    same = rows(0.1)
    found = summaries(same, "base")
    scores = np.stack([part.values for part in same["new"]])
    assert found["new"].iqm.value == pytest.approx(stats.trim_mean(scores.ravel(), 0.25))
    expected = [
        stats.mannwhitneyu(one.values, other.values).statistic / 36
        for one, other in zip(same["new"], same["base"], strict=True)
    ]
    improvement = found["new"].improvement
    assert improvement is not None
    assert improvement.value == pytest.approx(np.mean(expected))
    assert found["base"].improvement is None
    for each in (found["new"].iqm, improvement):
        assert each.low is not None
        assert each.high is not None
        assert each.low < each.value < each.high or each.value == 1


def test_few_seeds_have_no_bootstrap_interval() -> None:
    found = summaries(rows(0.1, seeds=4), "base")["new"]
    assert (found.iqm.low, found.iqm.high) == (None, None)


def test_the_interval_covers_the_sampling_error_of_the_dev_examples() -> None:
    """The runs of a row agree, so only the dev examples can vary."""
    right = np.random.default_rng(0).uniform(size=200) < 0.7
    run = np.tile(right - right.mean(), (5, 1))
    part = Sample(np.full(5, right.mean()), run, tuple(range(5)))
    found = summaries({"base": [part, part, part]}, "base")["base"].iqm
    assert found.low is not None
    assert found.high is not None
    assert found.high - found.low == pytest.approx(2 * 3.1 * np.sqrt(0.21 / 200 / 3), rel=0.4)


def test_ranks_are_those_of_demsars_example() -> None:
    """Table 6 of Demsar (2006): four classifiers on 14 data sets. The critical difference is 1.25."""
    columns = {
        "C4.5": [0.763, 0.599, 0.954, 0.628, 0.882, 0.936, 0.661, 0.583, 0.775, 1.0, 0.940, 0.619, 0.972, 0.957],
        "C4.5+m": [0.768, 0.591, 0.971, 0.661, 0.888, 0.931, 0.668, 0.583, 0.838, 1.0, 0.962, 0.666, 0.981, 0.978],
        "C4.5+cf": [0.771, 0.590, 0.968, 0.654, 0.886, 0.916, 0.609, 0.563, 0.866, 1.0, 0.965, 0.614, 0.9751, 0.946],
        "C4.5+m+cf": [0.798, 0.569, 0.967, 0.657, 0.898, 0.931, 0.685, 0.625, 0.875, 1.0, 0.962, 0.669, 0.975, 0.970],
    }
    found = ranks(columns, "C4.5")
    assert found.mean["C4.5"] == pytest.approx(3.143, abs=2e-3)
    assert found.mean["C4.5+m"] == pytest.approx(2.0, abs=2e-3)
    assert found.mean["C4.5+m+cf"] == pytest.approx(1.964, abs=2e-3)
    assert found.critical == pytest.approx(1.25, abs=0.01)
    assert found.p is not None
    assert found.p < 0.05
    assert found.p_wilcoxon["C4.5"] is None
    assert found.p_wilcoxon["C4.5+m"] is not None


def test_ranks_of_few_tasks_have_no_tests() -> None:
    found = ranks({"a": [0.1, 0.2, 0.3], "b": [0.2, 0.3, 0.1], "c": [0.3, 0.1, 0.2]}, "a")
    assert (found.p, found.critical, set(found.p_wilcoxon.values())) == (None, None, {None})
    assert set(found.mean.values()) == {2.0}


def test_a_profile_is_the_share_of_scores_above_each_threshold() -> None:
    assert profile(np.array([[0.1, 0.2], [0.3, 0.3]]), np.array([0.0, 0.2, 0.3])).tolist() == [1.0, 0.5, 0.0]
