"""Cells of a label column: missing cells, numbers, and how a message quotes a cell."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.tasks.cells import LONGEST_QUOTE, as_number, is_missing, quoted


@pytest.mark.parametrize("cell", [None, "", "  ", "\t", math.nan])
def test_missing(cell: object) -> None:
    assert is_missing(cell)


@pytest.mark.parametrize("cell", [0, 0.0, False, "0", "nan", "none", math.inf])
def test_not_missing(cell: object) -> None:
    assert not is_missing(cell)


@pytest.mark.parametrize(
    ("cell", "number"),
    [("1", 1.0), (" 2.50 ", 2.5), ("1e3", 1000.0), (3, 3.0), (Decimal("0.5"), 0.5), (np.int64(4), 4.0), ("-1", -1.0)],
)
def test_numbers_native_and_as_text(cell: object, number: float) -> None:
    assert as_number(cell) == number


@pytest.mark.parametrize(
    "cell", ["1_000", "one", "", "nan", "inf", math.nan, -math.inf, True, np.bool_(True), None, [1], 10**400]
)
def test_cells_that_are_not_numbers(cell: object) -> None:
    assert as_number(cell) is None


@settings(deadline=None, max_examples=100)
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_float_and_its_text_are_the_same_number(value: float) -> None:
    assert as_number(value) == as_number(repr(value)) == value


def test_a_long_cell_is_truncated_in_a_message() -> None:
    assert quoted("x" * 1000).startswith("'xxx")
    assert len(quoted("x" * 1000)) == LONGEST_QUOTE + 3
    assert quoted("abc") == "'abc'"
