"""The primary family of tests, and the page-wide correction of all others."""

from __future__ import annotations

from typing import Any

import pytest

from manyheads.errors import RecipeError
from manyheads.evaluation.significance import holm
from manyheads.studies.render.formats import content_of, to_csv, to_latex, to_markdown
from manyheads.studies.table import Difference, Table
from manyheads.studies.tabulate import tabulate


def families_of(table: Table) -> dict[str, list[Difference]]:
    own = [row for row in table.rows if row.same_as is None]
    return {
        "baseline": [row.difference for row in own if row.difference is not None],
        "tasks": [each for row in own for each in row.differences.values() if each is not None],
        "twins": [twin.gain for twin in table.twins if twin.gain is not None],
        "effects": [effect.value for effect in table.effects],
    }


def test_all_other_families_are_exploratory_and_corrected_over_the_page(synthetic: Any) -> None:
    table = tabulate(synthetic.run({"even": 0.05}), synthetic.out)
    found = families_of(table)
    assert {name: {each.exploratory for each in family} for name, family in found.items()} == {
        "baseline": {False},
        "tasks": {True},
        "twins": {True},
        "effects": {True},
    }
    page = [each for family in found.values() for each in family]
    assert len(page) == 3 + 9 + 4 + 3
    expected = holm([each.p for each in page])
    assert [each.p_page for each in page] == pytest.approx(expected, abs=2e-5)
    assert all((each.p_page or 0) >= (each.p_holm or 0) - 2e-5 for each in page)
    assert any("The primary family of tests is the differences from the baseline" in note for note in table.notes)


def test_rows_with_the_same_runs_are_one_test(synthetic: Any) -> None:
    table = tabulate(synthetic.run(), synthetic.out)
    even, again = (row.difference for row in table.rows if row.name in ("even", "again"))
    assert even == again


def test_primary_effects_are_one_family(synthetic: Any) -> None:
    synthetic.rewrite('baseline = "plain"', 'baseline = "plain"\nprimary = "effects"')
    table = tabulate(synthetic.run({"even": 0.05}), synthetic.out)
    effects = [effect.value for effect in table.effects]
    assert len({effect.kind for effect in table.effects}) == 2
    assert [each.p_holm for each in effects] == pytest.approx(holm([each.p for each in effects]), abs=2e-5)
    assert not any(each.exploratory for each in effects)
    assert all(row.difference.exploratory for row in table.rows if row.difference is not None)


@pytest.mark.parametrize("primary", ["baseline", "twins", "effects"])
def test_every_format_marks_exploratory_tests(synthetic: Any, primary: str) -> None:
    synthetic.rewrite('baseline = "plain"', f'baseline = "plain"\nprimary = "{primary}"')
    table = tabulate(synthetic.run(), synthetic.out)
    marked = {
        "baseline": "difference in average (exploratory)",
        "twins": "Gains over single-task twins (exploratory)",
        "effects": "Effects of the factors (exploratory)",
    }
    text = to_markdown(table)
    for family, title in marked.items():
        assert (title in text.replace("\\", "")) == (family != primary)
    assert "by task (exploratory)" in text.replace("\\", "")
    assert "p (page)" in text.replace("\\", "")
    assert "exploratory" in to_latex(table)
    assert content_of(table)["primary"] == primary
    assert "difference.p_page,difference.exploratory" in to_csv(table)


def test_a_study_has_tests_of_its_primary_family(synthetic: Any) -> None:
    synthetic.rewrite('twins = ["even"]', 'twins = []\nprimary = "twins"')
    with pytest.raises(RecipeError, match="no tests of its primary family") as caught:
        synthetic.plan()
    assert "key primary" in str(caught.value.where)


def test_a_study_with_one_task_counts_its_difference_once(synthetic: Any) -> None:
    base = synthetic.file.with_name("recipe.toml")
    base.write_text(base.read_text().partition("[tasks.para]")[0])
    text = synthetic.file.read_text()
    for line in text.splitlines():
        if "tasks.para" in line:
            text = text.replace(line + "\n", "")
    synthetic.file.write_text(text)
    table = tabulate(synthetic.run(), synthetic.out)
    for row in table.rows:
        if row.difference is not None:
            assert row.differences["sst"].p_page == row.difference.p_page
