"""The short form of the simulated power and looks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.statistics.condition import BASE
from benchmarks.statistics.power import LooksCase, PowerCase, measure_looks, measure_power


def test_the_stated_power_is_that_of_simulated_studies() -> None:
    found = measure_power(PowerCase(replace(BASE, apart=0.2), 0.05), studies=200)
    error = 2.6 * (0.25 / 200) ** 0.5
    assert found.stated == pytest.approx(found.simulated, abs=0.02 + error)
    assert found.estimated == pytest.approx(found.stated, abs=0.05 + 0.03)
    assert found.covered > 0.85


def test_planned_looks_keep_the_error_and_unplanned_ones_do_not() -> None:
    condition = replace(BASE, seeds=10, n=100, rows=4, seed_sd=0.3)
    error = 2.6 * (0.055 * 0.945 / 300) ** 0.5
    for spending in ("obrien-fleming", "pocock"):
        found = measure_looks(LooksCase(condition, (3, 5, 10), spending), studies=300)
        assert found.type_1 <= 0.055 + error
        assert found.family <= 0.055 + error
    unplanned = measure_looks(LooksCase(condition, (2, 3, 4, 5, 6, 8, 10), None), studies=300)
    assert unplanned.type_1 > 0.09
