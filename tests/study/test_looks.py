"""Planned looks of a study, and seeds that are added without a plan."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from typing import Any

import pytest

from manyheads.errors import RecipeError, RunError
from manyheads.evaluation.looks import levels
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import Table
from manyheads.studies.tabulate import tabulate, write_table

pytestmark = pytest.mark.usefixtures("without_figures")

GAIN = {"even": 0.15, "even_rescale0.1": 0.15}


@pytest.fixture
def planned(synthetic: Any) -> Any:
    """A study with looks at two and four seeds, with the runs of the first three."""
    synthetic.rewrite("[1, 2, 3]", '[1, 2, 3, 4]\nlooks = [2, 4]\nspending = "pocock"')
    synthetic.rewrite('twins = ["even"]', "twins = []")
    synthetic.run(GAIN, skip={(row.name, 4) for row in synthetic.plan().rows})
    return synthetic


def difference_of(table: Table, name: str) -> Any:
    return next(row.difference for row in table.rows if row.name == name)


def test_a_table_has_the_seeds_of_the_look_that_its_runs_have_reached(planned: Any) -> None:
    table = write_table(planned.plan(), planned.out)
    assert table.looks is not None
    assert (table.looks.look, table.looks.seeds, table.looks.next, table.looks.later) == (1, 2, 4, (3,))
    assert table.looks.level == pytest.approx(levels("pocock", (2, 4))[0], rel=5e-3)
    assert table.seeds == (1, 2)
    assert "This is look 1 of 2" in table.notes[0]
    planned.run(GAIN)
    last = write_table(planned.plan(), planned.out)
    assert last.looks is not None
    assert (last.looks.look, last.looks.seeds, last.looks.next, last.looks.later) == (2, 4, None, ())
    found = difference_of(last, "even")
    assert found.p <= found.p_holm < found.p_looks < 0.05
    assert found.significant


def test_the_first_seeds_alone_are_the_first_look(planned: Any) -> None:
    plan = planned.plan()
    table = tabulate(replace(plan, seeds=plan.seeds[:2]), planned.out)
    assert table.looks is not None
    assert table.looks.look == 1


def test_nothing_is_significant_before_the_first_look(planned: Any) -> None:
    planned.rewrite("looks = [2, 4]", "looks = [4]")
    table = tabulate(planned.plan(), planned.out)
    assert table.looks is not None
    assert table.looks.look == 0
    assert difference_of(table, "even").p_looks == 1.0
    assert not any(row.difference.significant for row in table.rows if row.difference)
    assert "No planned look is reached" in table.notes[0]


def test_a_failed_run_does_not_hold_up_a_look(planned: Any) -> None:
    planned.run(GAIN, skip={("even", 4)})
    planned.fail("even", 4, "out of memory")
    table = tabulate(planned.plan(), planned.out)
    assert table.looks is not None
    assert table.looks.look == 2


def test_every_rendering_names_the_look_and_its_p_values(planned: Any) -> None:
    write_table(planned.plan(), planned.out)
    for name in ("table.md", "table.html", "table.tex"):
        text = (planned.out / name).read_text().replace(r" \\ ", " ")
        assert "p (Holm, looks)" in text
        assert "This is look 1 of 2" in text
    content = json.loads((planned.out / "table.json").read_text())
    assert content["looks"]["look"] == 1
    assert content["rows"][1]["difference"]["p_looks"] is not None
    with (planned.out / "table.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert {line["p_values"] for line in lines} == {"look 1 of 2"}
    assert lines[1]["difference.p_looks"] == str(content["rows"][1]["difference"]["p_looks"])


def unadjusted(synthetic: Any, reason: str) -> None:
    """Check that every rendering of the next table calls its p values unadjusted."""
    table = write_table(synthetic.plan(), synthetic.out)
    assert table.looks is not None
    assert any(reason in each for each in table.looks.unadjusted)
    for name in ("table.md", "table.html", "table.tex"):
        text = (synthetic.out / name).read_text().replace(r" \\ ", " ")
        assert "p (unadjusted)" in text
        assert "p (Holm, unadjusted)" in text
        assert reason in text
    assert json.loads((synthetic.out / "table.json").read_text())["looks"]["unadjusted"]
    assert ",unadjusted," in (synthetic.out / "table.csv").read_text()


def test_seeds_that_are_added_after_a_table_are_marked(synthetic: Any) -> None:
    synthetic.rewrite('twins = ["even"]', "twins = []")
    synthetic.run()
    assert write_table(synthetic.plan(), synthetic.out).looks is None
    synthetic.rewrite("[1, 2, 3]", "[1, 2, 3, 4, 5]")
    synthetic.run()
    unadjusted(synthetic, "seeds 4 and 5 were added after the first table")
    # The mark stays: the plan of the first table is kept.
    unadjusted(synthetic, "seeds 4 and 5 were added after the first table")


def test_seeds_that_are_removed_and_plans_that_are_changed_are_marked(planned: Any) -> None:
    write_table(planned.plan(), planned.out)
    planned.rewrite("looks = [2, 4]", "looks = [3, 4]")
    unadjusted(planned, "the planned looks were changed after the first table, from 2 and 4 seeds (Pocock)")
    planned.rewrite("looks = [3, 4]", "looks = [2, 4]")
    assert not write_table(planned.plan(), planned.out).looks.unadjusted  # type: ignore[union-attr]
    planned.rewrite("seeds = [1, 2, 3, 4]\nlooks = [2, 4]", "seeds = [1, 3]\nlooks = [2]")
    unadjusted(planned, "seeds 2 and 4 were removed after the first table")


def test_a_table_of_an_older_version_is_a_first_table(synthetic: Any) -> None:
    synthetic.rewrite('twins = ["even"]', "twins = []")
    synthetic.run()
    write_table(synthetic.plan(), synthetic.out)
    (synthetic.out / "looks.json").unlink()
    synthetic.rewrite("[1, 2, 3]", "[1, 2, 3, 4]")
    unadjusted(synthetic, "seed 4 was added after the first table")


def test_a_part_of_the_planned_seeds_is_an_interim_table(synthetic: Any) -> None:
    plan: StudyPlan = synthetic.run()
    part = replace(plan, seeds=plan.seeds[:2])
    assert any("This table has 2 of 3 seeds of the study" in note for note in write_table(part, synthetic.out).notes)
    complete = write_table(plan, synthetic.out)
    assert complete.looks is None
    assert not any("This table has" in note for note in complete.notes)


def test_a_kept_plan_that_was_changed_is_refused(planned: Any) -> None:
    write_table(planned.plan(), planned.out)
    file = planned.out / "looks.json"
    file.write_text(file.read_text().replace("4", "5"))
    with pytest.raises(RunError, match="kept plan of the study was changed"):
        tabulate(planned.plan(), planned.out)


@pytest.mark.parametrize("looks", ["[2, 3]", "[4, 2]", "[2, 2, 4]"])
def test_looks_are_increasing_up_to_the_number_of_seeds(planned: Any, looks: str) -> None:
    planned.rewrite("looks = [2, 4]", f"looks = {looks}")
    with pytest.raises(RecipeError, match=r"study.toml:\d+, key looks"):
        planned.plan()
