"""Averages over tasks: one missing score makes them None, and the two averages differ."""

from __future__ import annotations

import pytest

from manyheads.evaluation.interval import average, course_average


def test_the_average_is_plain_and_the_course_score_maps_correlations() -> None:
    primary = {"sst": ("accuracy", 0.5), "para": ("accuracy", 0.8), "sts": ("pearson", 0.2)}
    assert average(primary) == pytest.approx(0.5)
    assert course_average(primary) == pytest.approx((0.5 + 0.8 + 0.6) / 3)


def test_rank_correlations_are_mapped_too_and_mcc_is_not() -> None:
    assert course_average({"a": ("spearman", -1.0)}) == 0.0
    assert course_average({"a": ("mcc", -1.0)}) == -1.0


def test_the_averages_are_none_if_one_score_is_missing() -> None:
    primary = {"sst": ("accuracy", 0.5), "sts": ("pearson", None)}
    assert average(primary) is None
    assert course_average(primary) is None


def test_without_tasks_there_is_no_average() -> None:
    assert average({}) is None
    assert course_average({}) is None


def test_scores_of_zero_count() -> None:
    assert average({"a": ("accuracy", 0.0), "b": ("accuracy", 1.0)}) == 0.5
