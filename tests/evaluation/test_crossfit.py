"""Cross-fitting: halves that respect clusters and no order, and predictions of the epoch of the other half."""

from __future__ import annotations

import numpy as np
import pytest

from manyheads.evaluation.crossfit import best_evaluations, half_scores, halves_of, swapped
from manyheads.evaluation.sample import sample

IDS = {"sst": [f"s{place}" for place in range(101)], "sts": [f"t{place}" for place in range(60)]}
NONE = {"sst": None, "sts": None}


def test_halves_have_half_of_every_task_and_of_every_class() -> None:
    classes = np.arange(101) % 3 == 0
    halves = halves_of(IDS, NONE, {"sst": classes.astype(float), "sts": None})
    assert abs(2 * int(halves["sst"].sum()) - 101) == 1
    assert int(halves["sts"].sum()) == 30
    assert abs(2 * int(halves["sst"][classes].sum()) - int(classes.sum())) <= 1


def test_halves_depend_on_the_ids_and_not_on_their_order() -> None:
    halves = halves_of(IDS, NONE, NONE)
    order = np.random.default_rng(0).permutation(101)
    shuffled = halves_of({**IDS, "sst": [IDS["sst"][place] for place in order]}, NONE, NONE)
    np.testing.assert_array_equal(shuffled["sst"], halves["sst"][order])
    np.testing.assert_array_equal(shuffled["sts"], halves["sts"])
    other = halves_of({**IDS, "sst": [f"x{place}" for place in range(101)]}, NONE, NONE)
    assert (other["sst"] != halves["sst"]).any()


def test_a_cluster_is_in_one_half_across_tasks() -> None:
    rng = np.random.default_rng(1)
    clusters = {"sst": rng.integers(0, 40, 101), "sts": rng.integers(20, 70, 60)}
    halves = halves_of(IDS, clusters, NONE)
    sides: dict[int, set[bool]] = {}
    for task, numbers in clusters.items():
        for number, first in zip(numbers, halves[task], strict=True):
            sides.setdefault(int(number), set()).add(bool(first))
    assert all(len(each) == 1 for each in sides.values())
    for half in halves.values():
        assert 0.4 < half.mean() < 0.6
    order = rng.permutation(101)
    shuffled = halves_of(
        {**IDS, "sst": [IDS["sst"][place] for place in order]}, {**clusters, "sst": clusters["sst"][order]}, NONE
    )
    np.testing.assert_array_equal(shuffled["sst"], halves["sst"][order])


def test_singles_balance_the_halves_that_large_clusters_leave_unequal() -> None:
    clusters = np.concatenate([np.zeros(40, int), np.arange(1, 62)])
    half = halves_of({"sst": IDS["sst"]}, {"sst": clusters}, {"sst": None})["sst"]
    assert abs(2 * int(half.sum()) - 101) == 1


def test_a_prediction_is_of_the_evaluation_that_was_chosen_on_the_other_half() -> None:
    first = np.array([True, True, False, False])
    targets = np.array([0.0, 1.0, 0.0, 1.0])
    evaluations = np.array([[0, 1, 1, 0], [1, 0, 0, 1], [0, 1, 1, 0]], dtype=np.float32)
    scores = half_scores("accuracy", evaluations, targets, first)
    np.testing.assert_array_equal(scores, [[1, 0, 1], [0, 1, 0]])
    chosen = best_evaluations(scores)
    assert chosen == (0, 1)
    np.testing.assert_array_equal(swapped(evaluations, first, chosen), [1, 0, 1, 0])


def test_an_evaluation_without_predictions_is_not_chosen() -> None:
    first = np.array([True, True, False, False])
    evaluations = np.array([[np.nan] * 4, [0, 0, 0, 0]], dtype=np.float32)
    scores = half_scores("accuracy", evaluations, np.array([0.0, 1.0, 0.0, 1.0]), first)
    assert best_evaluations(scores) == (1, 1)
    assert best_evaluations(half_scores("mcc", evaluations, np.array([0.0, 1.0, 0.0, 1.0]), first)) is None


@pytest.mark.parametrize("metric", ["accuracy", "macro_f1", "mcc", "pearson", "spearman", "rmse"])
def test_a_sample_of_two_halves_is_the_mean_of_their_samples(metric: str) -> None:
    rng = np.random.default_rng(2)
    targets = rng.integers(0, 3, 90).astype(float)
    predictions = np.where(rng.random((4, 90)) < 0.6, targets, rng.integers(0, 3, (4, 90))).astype(float)
    first = np.arange(90) < 40
    whole = sample(metric, predictions, targets, first=first)
    one, other = (sample(metric, predictions[:, part], targets[part]) for part in (first, ~first))
    assert whole is not None
    assert one is not None
    assert other is not None
    np.testing.assert_allclose(whole.values, (one.values + other.values) / 2)
    np.testing.assert_allclose(whole.influence.mean(axis=1), 0, atol=1e-12)
    variance = np.square(whole.influence).sum(axis=1) / 90**2
    parts = [np.square(each.influence).sum(axis=1) / each.influence.shape[1] ** 2 for each in (one, other)]
    np.testing.assert_allclose(variance, (parts[0] + parts[1]) / 4)


def test_a_metric_that_is_undefined_on_a_half_is_undefined() -> None:
    targets = np.array([0.0, 0.0, 0.0, 1.0, 0.0, 1.0])
    predictions = np.array([[0.0, 1.0, 0.0, 1.0, 0.0, 1.0]])
    assert sample("mcc", predictions, targets) is not None
    assert sample("mcc", predictions, targets, first=np.arange(6) < 3) is None
