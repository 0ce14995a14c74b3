"""Cells of a label column: missing cells, numbers, and how a message quotes a cell."""

from __future__ import annotations

import math
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.tasks.cells import LONGEST_QUOTE, as_number, is_missing, listed_items, listed_words, quoted


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


@pytest.mark.parametrize(
    ("text", "items"),
    [
        ('["a", 1]', ["a", 1]),
        ("['a', 'it\\'s', \"it's\"]", ["a", "it's", "it's"]),
        ("['a' 'b\\n'\n 'c']", ["a", "b\n", "c"]),
        ("[0 -1 7]", [0, -1, 7]),
        ("[1. 0.5]", [1.0, 0.5]),
        ("[(0, 4, 'city',)]", [[0, 4, "city"]]),
        ("[{'start': 0, 'label': None, 'ok': True}]", [{"start": 0, "label": None, "ok": True}]),
        ("['\\x41\\u00e9\\d']", ["Aé\\d"]),
        ("[]", []),
    ],
)
def test_a_list_is_read_from_the_text_of_json_python_and_numpy(text: str, items: list[object]) -> None:
    assert listed_items(text) == listed_items(items) == items


@pytest.mark.parametrize(
    "text", ["[Music] hello", "[a, b]", "['a', b]", "['a'", "{'a'}", "[007]", "['a' ... 'b']", "a"]
)
def test_other_texts_are_no_lists(text: str) -> None:
    assert listed_items(text) is None


@settings(deadline=None, max_examples=100)
@given(
    st.lists(st.text() | st.integers() | st.booleans() | st.none() | st.floats(allow_nan=False, allow_infinity=False))
)
def test_a_list_of_python_is_read_back(items: list[object]) -> None:
    assert listed_items(repr(items)) == items


def test_only_a_list_of_texts_is_a_list_of_words() -> None:
    assert listed_words("['a', 'b c', 1]") == ["a", "b c", "1"]
    assert [listed_words(cell) for cell in ("[1, 2]", "['a', True]", "[]", "a b", ["a"])] == [None] * 5
