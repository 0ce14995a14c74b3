"""Collapsed seeds: they are flagged, excluded from the means, and named in every table and figure."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats

from manyheads.evaluation.estimate import wilson
from manyheads.evaluation.significance import collapsed, shares_differ
from manyheads.studies.figures import FIGURES, differences_by_seed, render, values_by_seed
from manyheads.studies.render.formats import content_of, to_markdown
from manyheads.studies.render.sections import sections
from manyheads.studies.table import Table
from manyheads.studies.tabulate import tabulate


def test_a_seed_far_below_the_others_is_collapsed() -> None:
    baseline = np.array([0.81, 0.80, 0.79, 0.80, 0.805])
    row = np.array([0.82, 0.50, 0.83, 0.815, 0.51])
    np.testing.assert_array_equal(collapsed(row, [baseline]), [False, True, False, False, True])
    np.testing.assert_array_equal(collapsed(row + 0.1, [baseline]), [False, True, False, False, True])
    assert not collapsed(baseline).any()
    assert collapsed(np.array([0.80, 0.805, 0.79, 0.80, 0.5]))[-1]


def test_a_seed_that_is_low_in_several_rows_is_no_collapse_of_the_baseline() -> None:
    baseline, others = (
        np.array([0.448, 0.450, 0.396]),
        [np.array([0.438, 0.418, 0.518]), np.array([0.452, 0.46, 0.406])],
    )
    assert collapsed(baseline).any(), "three seeds alone can be close by chance"
    assert not collapsed(baseline, others).any()


def test_a_small_distance_or_few_seeds_are_no_collapse() -> None:
    tight = np.array([0.8, 0.8001, 0.8002, 0.8001])
    assert not collapsed(np.array([0.8, 0.8001, 0.8002, 0.76]), [tight]).any()
    assert not collapsed(np.array([0.8, 0.5]), [np.array([0.8, 0.79])]).any()
    assert not collapsed(np.array([0.8, 0.5])).any()
    assert not collapsed(np.array([])).any()


@pytest.mark.parametrize("seeds", [3, 5, 10])
def test_fewer_than_one_percent_of_equal_sound_seeds_are_flagged(seeds: int) -> None:
    """The standard deviation is large, so that the absolute distance excludes no seed."""
    rng = np.random.default_rng(seeds)
    flags = [collapsed(row, [other]) for row, other in rng.normal(0, 1, (3000, 2, seeds))]
    assert np.mean(flags) < 0.01


def test_shares_are_compared_by_fishers_exact_test() -> None:
    assert shares_differ((2, 5), (0, 5)) == pytest.approx(stats.fisher_exact([[2, 3], [0, 5]])[1])


@pytest.fixture
def table(synthetic: Any) -> Table:
    synthetic.rewrite("[1, 2, 3]", "[1, 2, 3, 4, 5]")
    plan = synthetic.run(collapsed={("even", 2), ("even", 5), ("even@para", 1)})
    return tabulate(plan, synthetic.out)


def test_means_and_differences_are_over_the_sound_seeds(table: Table) -> None:
    row, plain = table.row("even"), table.row("plain")
    assert row.seeds == (1, 2, 3, 4, 5)
    assert (row.collapsed, row.sound) == ((2, 5), (1, 3, 4))
    assert plain.collapsed == ()
    values = np.array(row.points["average"])
    assert row.figures.average is not None
    assert row.figures.average.mean == pytest.approx(values[[0, 2, 3]].mean(), abs=1e-5)
    assert row.collapses is not None
    assert row.collapses.plain["average"] == pytest.approx(values.mean(), abs=1e-5)
    assert row.collapses.plain["average"] < row.figures.average.mean - 0.05
    assert row.difference is not None
    gaps = values - np.array(plain.points["average"])
    assert row.difference.mean == pytest.approx(gaps[[0, 2, 3]].mean(), abs=1e-5)
    assert row.best.average is not None
    assert row.best.average.mean == row.figures.average.mean
    share = row.collapses.share
    assert (share.low, share.high) == pytest.approx(wilson(0.4, 5, 0.05), abs=1e-6)
    assert row.collapses.p == pytest.approx(stats.fisher_exact([[2, 3], [0, 5]])[1], abs=1e-6)
    assert row.collapses.p_holm is not None
    assert row.collapses.p_holm >= row.collapses.p
    assert table.row("even@para").collapsed == (1,)
    assert table.row("again").collapsed == (2, 5)


def test_every_table_marks_rows_with_collapsed_seeds(table: Table) -> None:
    named = {section.title: section for section in sections(table)}
    assert "Collapsed seeds" in named
    for title, section in named.items():
        if title.startswith("Effects of the factors"):
            assert "even (2 of 5 collapsed)" in section.note
            continue
        if title == "Power by number of seeds":
            continue
        cells = [row[0] for row in section.rows if row[0].text == "even"]
        assert cells
        assert all("2 of 5 collapsed" in cell.detail for cell in cells), title
    twins = named["Gains over single-task twins (exploratory)"]
    assert any("alone: 1 of 5 collapsed" in row[0].detail for row in twins.rows)
    page = to_markdown(table)
    assert "Collapsed seeds (even: seeds 2, 5; even@para: seed 1)" in page
    assert "no interval covers" in page
    content = content_of(table)
    row = next(row for row in content["rows"] if row["name"] == "even")
    assert list(row["collapses"]["seeds"]) == [2, 5]
    assert len(row["points"]["average"]) == 5


def test_a_study_without_collapses_has_no_table_of_them(synthetic: Any) -> None:
    table = tabulate(synthetic.run(), synthetic.out)
    assert not table.has_collapses
    assert "Collapsed seeds" not in [section.title for section in sections(table)]
    row = table.row("even")
    assert row.collapses is not None
    assert (row.collapses.seeds, row.collapses.p) == ((), None)


def test_every_seed_is_a_point_in_every_figure(table: Table) -> None:
    row, baseline = table.row("even"), table.row("plain")
    points = values_by_seed(row, "average")
    assert [(point.seed, point.collapsed) for point in points] == [
        (1, False),
        (2, True),
        (3, False),
        (4, False),
        (5, True),
    ]
    gaps = differences_by_seed(row, [(baseline, "average")], "average")
    assert [point.collapsed for point in gaps] == [point.collapsed for point in points]
    curve = next(curve for curve in table.curves if curve.row == "even" and curve.column == "average")
    assert [len(values) for values in curve.points] == [5, 5]
    timing = next(timing for timing in table.timings if timing.row == "even")
    assert len(timing.points) == 5
    assert table.across_tasks is not None
    # Three tasks have no critical difference, and so no diagram of ranks.
    table = replace(table, across_tasks=replace(table.across_tasks, critical_difference=1.2))
    for name, drawing in FIGURES.items():
        axes = drawing.draw(table).axes
        seeds = sum(len(line.get_xdata()) for each in axes for line in each.lines if line.get_marker() in (".", "x"))
        assert seeds >= 5, name
        if name != "curves":
            assert any(line.get_marker() == "x" for each in axes for line in each.lines), name
        render(name, drawing, table)
