"""Learning-rate schedules: warm-up, shape, end."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.training.optimizer import SHAPES, build_schedule


def test_linear_rises_then_falls_to_almost_nothing() -> None:
    factor = build_schedule("linear", total_steps=10, warmup=0.2)
    assert [round(factor(step), 4) for step in range(10)] == [
        0.5,
        1.0,
        1.0,
        0.875,
        0.75,
        0.625,
        0.5,
        0.375,
        0.25,
        0.125,
    ]


def test_constant_without_warmup_is_one() -> None:
    factor = build_schedule("constant", total_steps=5, warmup=0.0)
    assert [factor(step) for step in range(5)] == [1.0] * 5


def test_cosine_is_one_half_in_the_middle() -> None:
    factor = build_schedule("cosine", total_steps=100, warmup=0.0)
    assert factor(50) == pytest.approx(0.5)
    assert factor(0) == 1.0


@given(st.sampled_from(sorted(SHAPES)), st.integers(1, 300), st.floats(0, 1))
def test_every_factor_is_a_share_and_none_after_warmup_rises(name: str, total: int, warmup: float) -> None:
    factor = build_schedule(name, total_steps=total, warmup=warmup)
    factors = [factor(step) for step in range(total)]
    assert all(0 < value <= 1 for value in factors)
    peak = factors.index(max(factors))
    assert all(late <= early for early, late in zip(factors[peak:], factors[peak + 1 :], strict=False))
