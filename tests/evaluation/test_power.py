"""Power by simulating the test, without drawing predictions. `tests/benchmarks/test_power.py` draws them."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from manyheads.evaluation.power import SimulatedPower, Variances, estimated, power
from manyheads.evaluation.sample import Sample


def test_the_power_of_one_comparison_without_examples_is_that_of_a_paired_t_test() -> None:
    found = power(Variances(seeds=1.0, examples=0.0), rows=2, comparisons=1, seeds=[6], studies=20_000)[0]
    for difference in (1.0, 2.0, 3.0):
        shift, critical = difference / math.sqrt(2 / 6), float(stats.t.isf(0.025, 5))
        assert found.at(difference) == pytest.approx(float(stats.nct.sf(critical, 5, shift)), abs=0.012)


def test_the_power_with_known_variances_is_that_of_a_normal_test() -> None:
    variances = Variances(seeds=0.0, examples=1.0, units=10**6)
    found = power(variances, rows=4, comparisons=3, seeds=[5], studies=20_000)[0]
    # The other rows are equal to the baseline, so Holm's test of this one is hardly ever better than Bonferroni's.
    critical = float(stats.norm.isf(0.025 / 3))
    assert found.at(3.0) == pytest.approx(float(stats.norm.sf(critical - 3.0)), abs=0.02)
    assert found.smallest() == pytest.approx(critical + float(stats.norm.isf(0.2)), abs=0.06)


def test_more_seeds_and_fewer_comparisons_give_more_power() -> None:
    variances = Variances(seeds=1e-4, examples=5e-5, residual=1e-4, units=500)
    by_seeds = power(variances, rows=6, comparisons=5, seeds=[20, 3, 5, 10])
    assert [each.seeds for each in by_seeds] == [20, 3, 5, 10]
    assert by_seeds[0].smallest() < by_seeds[3].smallest() < by_seeds[2].smallest() < by_seeds[1].smallest()
    few = power(variances, rows=6, comparisons=1, seeds=[5])[0]
    assert few.smallest() < by_seeds[2].smallest()
    assert few.at(0.0) < 0.08
    assert few.at(-0.03) == few.at(0.03)


def test_estimated_variances_give_an_interval_and_known_ones_do_not() -> None:
    known = Variances(seeds=1e-4, examples=5e-5, units=500)
    (found,) = power(known, rows=4, comparisons=3, seeds=[5])
    assert found.bounds_at(0.02) == (found.at(0.02), found.at(0.02))
    few, many = (
        power(replace(known, seeds_df=df, examples_df=100.0), rows=4, comparisons=3, seeds=[5])[0] for df in (4, 60)
    )
    assert _width(few) > _width(many) > 0
    low, high = many.bounds_of_smallest()
    assert low < many.smallest() < high


def _width(found: SimulatedPower) -> float:
    low, high = found.bounds_of_smallest()
    return high - low


def test_the_variances_are_estimated_from_rows() -> None:
    """Rows with a shared seed effect, an own one, example effects, and noise on single examples."""
    rng = np.random.default_rng(0)
    rows, seeds, units = 40, 6, 400
    examples = rng.standard_normal((rows, 1, units))
    noise = rng.standard_normal((rows, seeds, units))
    influence = examples + noise
    influence -= influence.mean(axis=2, keepdims=True)
    values = 5 * rng.standard_normal(seeds) + 0.1 * rng.standard_normal((rows, seeds)) + influence.mean(axis=2)
    samples = [
        [Sample(values[row], influence[row], seeds=tuple(range(seeds)), count=units, step=0.0)] for row in range(rows)
    ]
    found = estimated(samples)
    assert found is not None
    assert found.seeds == pytest.approx(0.01, rel=0.2)
    assert found.examples == pytest.approx(2 / units, rel=0.1)
    assert found.residual == pytest.approx(2 / units, rel=0.1)
    assert found.seeds_df == pytest.approx(39 * 5)
    assert found.examples_df == pytest.approx(units, rel=0.3)
    assert estimated(samples[:1]) is None


def test_a_look_adds_to_the_power_of_the_looks_before_it() -> None:
    variances = Variances(seeds=1e-4, examples=5e-5, units=500)
    first, last = power(
        variances, rows=4, comparisons=3, seeds=[3, 6], level=lambda place, error: error * (0.1, 0.95)[place]
    )
    assert first.at(0.03) < last.at(0.03)
    assert np.all(last.margins <= first.margins)


def test_without_variance_the_smallest_difference_is_found() -> None:
    found = SimulatedPower(3, np.full(40, 0.0704123456), np.full(40, -0.0704123456))
    assert found.at(found.smallest()) == 1.0
