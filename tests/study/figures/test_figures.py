"""The figures of a study: the same bytes always, words for every one, and none where there is nothing to show."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from manyheads.study.figures import FIGURES
from manyheads.study.figures.curves import highlighted
from manyheads.study.figures.pareto import front
from manyheads.study.figures.style import render, shortened
from manyheads.study.table import Interval, Table
from manyheads.study.tabulate import tabulate


@pytest.fixture
def table(synthetic: Any) -> Table:
    return tabulate(synthetic.run({"even": 0.2}), synthetic.out)


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_figure_is_drawn_the_same_twice_and_says_what_it_shows(name: str, table: Table) -> None:
    files = render(name, FIGURES[name], table)
    assert files == render(name, FIGURES[name], table)
    assert files["png"].startswith(b"\x89PNG")
    assert b"<svg" in files["svg"]
    assert b"<dc:date>" not in files["svg"]
    words = FIGURES[name].describe(table)
    assert words is not None
    assert "even" in words


def test_where_there_is_nothing_to_show_there_is_no_figure(table: Table) -> None:
    empty = replace(table, rows=(), twins=(), curves=(), timings=())
    assert [drawing.describe(empty) for drawing in FIGURES.values()] == [None] * len(FIGURES)


def test_the_differences_say_which_are_significant(table: Table) -> None:
    words = FIGURES["differences"].describe(table)
    assert words is not None
    assert "even +" in words
    assert words.count("significant after correction") == 1


def test_the_baseline_and_the_best_rows_have_colours(table: Table) -> None:
    found = highlighted(table)
    assert found[:2] == ["plain", "even"]
    assert "again" not in found


def test_the_front_has_the_rows_that_no_quicker_one_reaches() -> None:
    def figure(mean: float) -> Interval:
        return Interval(mean, mean - 0.1, mean + 0.1)

    found = [(1.0, figure(0.5), "a"), (2.0, figure(0.4), "b"), (3.0, figure(0.7), "c"), (4.0, figure(0.7), "d")]
    assert [name for _, _, name in front(found)] == ["a", "c"]


def test_a_long_name_is_shortened_in_the_middle() -> None:
    name = "pretrain-even_batch-rescale0.3-cross-alldrop-batch32"
    assert shortened(name, 60) == name
    short = shortened(name, 31)
    assert len(short) == 31
    assert short.startswith("pretrain")
    assert short.endswith("batch32")
