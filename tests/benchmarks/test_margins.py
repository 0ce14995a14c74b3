"""A short form of the simulations of margins and of summaries over tasks."""

from __future__ import annotations

from benchmarks.statistics import margins, several_tasks
from benchmarks.statistics.condition import Condition


def test_a_margin_is_passed_by_chance_in_5_percent() -> None:
    found = margins.rates(Condition(seeds=3, n=200), 300)
    assert found.type_1 < 0.09
    assert 0.02 < found.power < 1


def test_summaries_over_tasks_cover_the_truth() -> None:
    found = several_tasks.coverage(several_tasks.Setting(seeds=5, n=200, sd=0.03, gain=0.02), 40)
    assert found.iqm > 0.85
    assert 0 < found.width < 0.2
