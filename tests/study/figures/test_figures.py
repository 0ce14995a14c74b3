"""The figures of a study: reproducible bytes, a description in words, and no figure without content."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.study.conftest import SyntheticStudy

from manyheads.pages.figures import shortened
from manyheads.studies.figures import FIGURES, front, highlighted, render
from manyheads.studies.table import Interval, Table
from manyheads.studies.tabulate import tabulate


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Table:
    synthetic = SyntheticStudy(tmp_path_factory.mktemp("study"))
    return tabulate(synthetic.run({"even": 0.2}), synthetic.out)


@pytest.mark.parametrize("name", list(FIGURES))
def test_a_figure_is_reproducible_and_has_a_description(name: str, table: Table) -> None:
    assert table.across_tasks is not None
    # Three tasks have no critical difference, and so no diagram of ranks.
    table = replace(table, across_tasks=replace(table.across_tasks, critical_difference=1.2))
    files = render(name, FIGURES[name], table)
    assert files == render(name, FIGURES[name], table)
    assert files["png"].startswith(b"\x89PNG")
    assert b"<svg" in files["svg"]
    assert b"<dc:date>" not in files["svg"]
    words = FIGURES[name].describe(table)
    assert words is not None
    assert "even" in words


def test_an_empty_table_has_no_figures(table: Table) -> None:
    empty = replace(table, rows=(), twins=(), curves=(), timings=(), across_tasks=None)
    assert [drawing.describe(empty) for drawing in FIGURES.values()] == [None] * len(FIGURES)


def test_the_description_names_significant_differences(table: Table) -> None:
    words = FIGURES["differences"].describe(table)
    assert words is not None
    assert "even +" in words
    assert words.count("significant after correction") == 1


def test_the_baseline_and_the_best_rows_have_colours(table: Table) -> None:
    rows = highlighted(table)
    assert rows[:2] == ["plain", "even"]
    assert "again" not in rows


def test_the_front_has_the_rows_that_no_faster_one_reaches() -> None:
    def interval(mean: float) -> Interval:
        return Interval(mean, mean - 0.1, mean + 0.1)

    points = [
        (1.0, interval(0.5), "a"),
        (2.0, interval(0.4), "b"),
        (3.0, interval(0.7), "c"),
        (4.0, interval(0.7), "d"),
    ]
    assert [name for _, _, name in front(points)] == ["a", "c"]


def test_a_long_name_is_shortened_in_the_middle() -> None:
    name = "pretrain-even_batch-rescale0.3-cross-alldrop-batch32"
    assert shortened(name, 60) == name
    short = shortened(name, 31)
    assert len(short) == 31
    assert short.startswith("pretrain")
    assert short.endswith("batch32")
