"""Regression: values within a range, and scores from 0 to 1 that are mapped to it."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.errors import EncoderError
from manyheads.tasks.kind import LabelError
from manyheads.tasks.kinds.regression import Regression


@pytest.mark.parametrize(("cell", "value"), [("2.5", 2.5), (5, 5.0), (0, 0.0), (" 1e-1 ", 0.1), (4.75, 4.75)])
def test_values_may_be_text_or_native(cell: object, value: float) -> None:
    assert Regression(0, 5).parse(cell) == value


@pytest.mark.parametrize("cell", ["high", "nan", "inf", math.inf, True, "1,5", "1_0", [1], 10**400])
def test_a_label_that_is_not_a_number_is_reported_with_the_range(cell: object) -> None:
    with pytest.raises(LabelError, match="is not a number from 0 to 5"):
        Regression(0, 5).parse(cell)


@pytest.mark.parametrize("cell", ["5.001", -1, "1e300"])
def test_a_value_outside_the_range_is_reported_with_the_range(cell: object) -> None:
    with pytest.raises(LabelError, match="is outside the range 0 to 5"):
        Regression(0, 5).parse(cell)


@pytest.mark.parametrize("cell", [None, "", math.nan])
def test_a_missing_value_is_reported_as_missing(cell: object) -> None:
    with pytest.raises(LabelError, match="label is missing"):
        Regression(0, 5).parse(cell)


@pytest.mark.parametrize(("low", "high"), [(1, 1), (5, 0), (math.nan, 1), (0, math.inf)])
def test_invalid_ranges_are_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="lower first"):
        Regression(low, high)


@settings(deadline=None, max_examples=50)
@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6), st.floats(0, 1))
def test_scores_are_mapped_to_the_range(low: float, width: float, unit: float) -> None:
    kind = Regression(low, low + width)
    (value,) = kind.decode(np.array([[unit]])).values
    assert value == pytest.approx(low + width * unit, abs=1e-6)


def test_a_cosine_below_zero_gives_a_value_below_the_range() -> None:
    found = Regression(0, 5).decode(np.array([[-0.5], [0.0], [1.0]], dtype=np.float32))
    assert found.values.tolist() == [-2.5, 0.0, 5.0]
    assert found.values.dtype == np.float64
    assert found.probabilities is None


def test_a_score_that_is_not_finite_is_refused() -> None:
    with pytest.raises(EncoderError, match="not finite"):
        Regression(0, 5).decode(np.array([[0.5], [np.nan]], dtype=np.float32))


def test_regressions_with_equal_ranges_are_equal() -> None:
    assert Regression(0, 5) == Regression(0.0, 5.0)
    assert hash(Regression(0, 5)) == hash(Regression(0.0, 5.0))
    assert Regression(0, 5) != Regression(0, 4)
