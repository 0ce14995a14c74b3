"""The short form of the simulated studies: intervals cover, tests keep their level, and wrong estimators fail."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from benchmarks.statistics.condition import BASE, SHORT, Condition, conditions
from benchmarks.statistics.measure import Measures, measure
from benchmarks.statistics.simulate import draw, truth

from manyheads.evaluation import estimate

STUDIES = 400
COVERED = 0.93 - 2.6 * (0.93 * 0.07 / STUDIES) ** 0.5
"""The lower limit of a coverage of 93% in 400 studies, 99% one-sided."""

FALSE = 0.055 + 2.6 * (0.055 * 0.945 / STUDIES) ** 0.5
FALSE_IF_NOISY = 0.07 + 2.6 * (0.07 * 0.93 / STUDIES) ** 0.5


def faults(condition: Condition, found: Measures) -> list[str]:
    """Return the measures of a condition that are out of bounds."""
    limit = FALSE if condition.noise == 1 else FALSE_IF_NOISY
    return [
        name
        for name, fails in {
            "mean": found.mean < COVERED,
            "difference": found.difference < COVERED,
            "type_1": found.type_1 > limit,
            "effect": found.effect > limit,
            "family": found.family > FALSE,
            "outside": found.outside > 0,
        }.items()
        if fails
    ]


@pytest.mark.parametrize("condition", [each for each in SHORT if not each.control], ids=lambda each: each.name)
def test_intervals_cover_and_tests_keep_their_level(condition: Condition) -> None:
    assert faults(condition, measure(condition, STUDIES)) == []


def test_clusters_that_are_ignored_are_found_out() -> None:
    condition = replace(BASE, clusters=5, ignore_clusters=True)
    assert "mean" in faults(condition, measure(condition, STUDIES))


def test_an_evaluation_that_is_chosen_on_the_examples_it_is_measured_on_is_found_out() -> None:
    condition = replace(BASE, evaluations=10, of_baseline=1, select="best")
    assert {"difference", "type_1"} <= set(faults(condition, measure(condition, 200)))


@pytest.mark.parametrize("part", ["of_seeds", "of_examples"])
def test_an_estimator_without_a_variance_component_is_found_out(part: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(estimate.Components, part, lambda _parts, _error: 0.0)
    condition = replace(BASE, metric="pearson")
    assert {"mean", "difference"} & set(faults(condition, measure(condition, STUDIES)))


def test_the_random_numbers_depend_on_the_condition_alone() -> None:
    assert measure(BASE, 5) == measure(BASE, 5)
    assert measure(BASE, 5) != measure(replace(BASE, seeds=6), 5)


@pytest.mark.parametrize("metric", ["accuracy", "mcc", "macro_f1", "pearson", "spearman"])
def test_the_true_value_is_that_of_a_large_sample(metric: str) -> None:
    condition = replace(BASE, metric=metric, n=2000, seeds=20, accuracy=0.7 if metric == "macro_f1" else 0.9)
    found = draw(condition, np.random.default_rng(0)).rows[0]
    assert found is not None
    assert found.values.mean() == pytest.approx(truth(condition), abs=0.035)


def test_every_condition_is_simulated_once() -> None:
    found = list(conditions())
    assert len(set(found)) == len(found)
    assert len({each.name for each in found}) == len(found)
    assert len(found) > 60
