"""Printed output is compared with its numbers masked, line by line and in order."""

from __future__ import annotations

import pytest
from tests.docs.output import masked, missing_line

OUTPUT = """\
\x1b[1mdev metrics\x1b[0m
┃ task    ┃ accuracy ┃
│ reviews │   0.8364 │
24 steps in 3 s: 12.5 examples/s
done
"""


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("a  0.25 │ b", "a 1 b"),
        ("-0.5 to .5", "0.1 to +2e-05"),
        ("12:30:01, 1,200 rows.", "1:02, 5 rows."),
        ("p99", "p50"),
    ],
)
def test_lines_that_differ_in_numbers_and_spaces_are_equal_masked(one: str, other: str) -> None:
    assert masked(one) == masked(other)


def test_words_and_hyphens_are_kept() -> None:
    assert masked("first-1.toml") != masked("first1.toml")


@pytest.mark.parametrize(
    "expected",
    ["task accuracy\nreviews 0.1\n", "dev metrics\n...\ndone\n", "reviews ...\n20 steps ... examples/s", OUTPUT],
)
def test_lines_in_order_are_found(expected: str) -> None:
    assert missing_line(expected, OUTPUT) is None


@pytest.mark.parametrize(
    ("expected", "missing"), [("done\ndev metrics", "dev metrics"), ("steps", "steps"), ("done\ndone", "done")]
)
def test_the_first_line_that_is_missing_is_named(expected: str, missing: str) -> None:
    assert missing_line(expected, OUTPUT) == missing
