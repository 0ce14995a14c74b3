"""The section of a table over several tasks."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manyheads.studies.figures import cliques
from manyheads.studies.render.sections import sections
from manyheads.studies.tabulate import tabulate, write_table

EXTRA = """
[tasks.{name}]
kind = "classification"
train = "{name}-train.csv"
dev = "{name}-dev.csv"
text = "s"
label = "l"
labels = [0, 1]
"""


def test_the_section_counts_the_tasks_on_which_a_row_is_better(synthetic: Any) -> None:
    table = tabulate(synthetic.run({"even": 0.25, "even_rescale0.1": -0.25}), synthetic.out)
    across = table.across_tasks
    assert across is not None
    assert across.tasks == ("sst", "para", "sts")
    found = {row.row: row for row in across.rows}
    assert set(found) == {"plain", "even", "plain_rescale0.1", "even_rescale0.1"}
    assert found["plain"].better_on is None
    assert (found["even"].better_on, found["even"].worse_on) == (3, 0)
    assert found["even_rescale0.1"].worse_on is not None
    assert found["even_rescale0.1"].worse_on > 0
    assert found["even"].mean_rank == 1
    assert found["even"].iqm is not None
    assert found["even"].iqm.low is None
    assert found["even"].improvement is not None
    assert found["even"].improvement.mean == 1
    assert across.critical_difference is None
    assert any("Rows over 3 tasks" in section.title for section in sections(table))
    assert any("Dror" in note for note in table.notes)


@pytest.fixture
def seven(synthetic: Any) -> Any:
    """A study of seven tasks and five seeds."""
    base: Path = synthetic.file.with_name("recipe.toml")
    base.write_text(base.read_text() + "".join(EXTRA.format(name=name) for name in ("one", "other", "third", "more")))
    synthetic.rewrite("[1, 2, 3]", "[1, 2, 3, 4, 5]")
    synthetic.rewrite('twins = ["even"]', "twins = []")
    return synthetic


def test_many_tasks_have_ranks_and_intervals_in_every_rendering(seven: Any) -> None:
    seven.run({"even": 0.1})
    table = write_table(seven.plan(), seven.out)
    across = table.across_tasks
    assert across is not None
    assert across.critical_difference is not None
    assert all(row.iqm is not None and row.iqm.low is not None for row in across.rows)
    assert all((row.p_wilcoxon is None) == (row.row == "plain") for row in across.rows)
    content = json.loads((seven.out / "table.json").read_text())["across_tasks"]
    assert len(content["profiles"][0]["above"]) == len(content["thresholds"])
    for name in ("ranks.svg", "ranks.png", "profiles.svg", "profiles.png"):
        assert (seven.out / "figures" / name).exists()
    for name in ("table.md", "table.tex", "table.html"):
        assert "over 7 tasks" in (seven.out / name).read_text()
    assert "across_tasks.better_on" in (seven.out / "table.csv").read_text()
    assert tabulate(seven.plan(), seven.out).across_tasks == across


def test_two_tasks_have_no_section(synthetic: Any) -> None:
    base = synthetic.file.with_name("recipe.toml")
    base.write_text(base.read_text().partition("[tasks.sts]")[0])
    assert tabulate(synthetic.run(), synthetic.out).across_tasks is None


def test_rows_that_cannot_be_distinguished_are_joined() -> None:
    assert cliques([1.0, 1.5, 2.4, 4.0], 1.0) == [(0, 1), (1, 2)]
    assert cliques([1.0, 1.5, 1.9], 1.0) == [(0, 2)]
    assert cliques([1.0, 3.0], 1.0) == []
