"""Margins of a study: equivalence, non-inferiority, and the result of each row in one word."""

from __future__ import annotations

import json
from typing import Any

import pytest
from typer.testing import CliRunner

from manyheads.cli.main import app
from manyheads.errors import RecipeError
from manyheads.evaluation.significance import holm
from manyheads.studies.compare import one_sided
from manyheads.studies.render.sections import sections
from manyheads.studies.table import Table
from manyheads.studies.tabulate import tabulate, write_table

pytestmark = pytest.mark.usefixtures("without_figures")


def study(synthetic: Any, margin: str, gains: dict[str, float]) -> Table:
    synthetic.rewrite('baseline = "plain"', f'baseline = "plain"\nmargin = {margin}')
    return tabulate(synthetic.run(gains), synthetic.out)


def test_rows_are_better_worse_equivalent_or_undecided(synthetic: Any) -> None:
    gains = {"even": 0.2, "even_rescale0.1": -0.2, "plain_rescale0.1": 0.0}
    table = study(synthetic, "0.15", gains)
    verdicts = {row.name: table.verdict(row) for row in table.listed}
    assert verdicts["plain"] is None
    assert verdicts["even"] == verdicts["again"] == "better"
    assert verdicts["even_rescale0.1"] == "worse"
    assert verdicts["plain_rescale0.1"] == "equivalent"
    (close,) = (row for row in table.rows if row.name == "plain_rescale0.1")
    test = close.margins["average"]
    assert test.low is not None
    assert test.high is not None
    assert close.difference is not None
    assert -0.15 < test.low < test.high < 0.15
    assert close.difference.low < test.low < test.high < close.difference.high


def test_a_small_margin_leaves_rows_undecided(synthetic: Any) -> None:
    table = study(synthetic, "0.0001", {})
    assert {table.verdict(row) for row in table.listed if row.difference is not None} == {"undecided"}


def test_margins_per_task_are_a_family_of_their_own(synthetic: Any) -> None:
    table = study(synthetic, "{ average = 0.05, sst = 0.1, para = 0.1 }", {})
    own = [row for row in table.listed if row.difference is not None and row.same_as is None]
    main = [row.margins["average"] for row in own]
    tasks = [row.margins[task] for row in own for task in ("sst", "para")]
    assert not any(test.exploratory for test in main)
    assert all(test.exploratory for test in tasks)
    for family in (main, tasks):
        expected = holm([test.p_equivalent for test in family])
        assert [test.p_equivalent_holm for test in family] == pytest.approx(expected, abs=2e-5)
        assert all((test.p_equivalent_page or 0) >= (test.p_equivalent_holm or 0) - 2e-5 for test in family)


def test_every_rendering_has_the_margin(synthetic: Any) -> None:
    study(synthetic, "0.15", {})
    write_table(synthetic.plan(), synthetic.out)
    for name in ("table.md", "table.html", "table.tex"):
        text = (synthetic.out / name).read_text()
        assert "gainst the margin" in text
        assert "equivalent" in text
    assert "margin.average.p_equivalent_holm" in (synthetic.out / "table.csv").read_text()
    content = json.loads((synthetic.out / "table.json").read_text())
    assert content["margins"] == {"average": 0.15}
    assert {row["verdict"] for row in content["rows"]} == {None, "equivalent"}
    shown = CliRunner().invoke(app, ["table", str(synthetic.file), "--out", str(synthetic.out)])
    assert "Against the margin" in shown.output


def test_without_a_margin_nothing_is_equivalent(synthetic: Any) -> None:
    table = tabulate(synthetic.run(), synthetic.out)
    assert all(section.title != "Against the margin" for section in sections(table))
    assert {table.verdict(row) for row in table.listed} == {None, "undecided"}


def test_a_margin_of_a_metric_that_is_not_compared_is_refused(synthetic: Any) -> None:
    synthetic.rewrite('baseline = "plain"', 'baseline = "plain"\nmargin = { averag = 0.01 }')
    with pytest.raises(RecipeError, match="has no margin") as caught:
        synthetic.plan()
    assert "margin.averag" in str(caught.value.where)
    assert "average" in str(caught.value.hint)


def test_looks_adjust_one_sided_tests_by_their_two_sided_p_value() -> None:
    assert one_sided(0.01, lambda p: 3 * p) == pytest.approx(0.03)
    assert one_sided(0.6, lambda p: 3 * p) == 0.6
    assert one_sided(None, lambda p: 3 * p) is None
    assert one_sided(0.01, None) == 0.01
