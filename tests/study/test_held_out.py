"""All rows and twins of a study hold out the same rows of a shared file, whichever tasks they train."""

from __future__ import annotations

from pathlib import Path

from manyheads.recipe.load import load_recipe, recipe_to_toml
from manyheads.recipe.prepare import held_out_examples, read_tasks
from manyheads.recipe.schema import Recipe
from manyheads.studies.load import load_study

TASK = """
[tasks.{name}]
kind = "classification"
train = "all.tsv"
dev = 0.2
text = "text"
label = "{name}"
"""

STUDY = """
base = "base.toml"
seeds = [1]
twins = ["both", "weighted"]
[rows.both]
[rows.weighted]
tasks.mood.loss_weight = 0.5
[rows.three]
tasks.stars = { kind = "regression", train = "all.tsv", dev = 0.2, text = "text", label = "stars" }
"""


def write(folder: Path) -> Path:
    rows = [f"text {n}\t{'glad' if n % 3 else 'sad'}\t{'ab'[n % 7 == 0]}\t{n % 5}" for n in range(60)]
    (folder / "all.tsv").write_text("\n".join(["text\tmood\ttopic\tstars", *rows]) + "\n")
    (folder / "base.toml").write_text('encoder = "none"\n' + TASK.format(name="topic") + TASK.format(name="mood"))
    (folder / "study.toml").write_text(STUDY)
    return folder / "study.toml"


def held_out(recipe: Recipe) -> set[tuple[int, ...]]:
    return {tuple(each.dev.lines.tolist()) for each in read_tasks(recipe, lambda event, **fields: None)}


def test_rows_and_twins_hold_out_the_same_rows(tmp_path: Path) -> None:
    plan = load_study(write(tmp_path))
    names = [row.name for row in plan.rows]
    assert names == ["both", "weighted", "three", "both@topic", "both@mood", "weighted@topic", "weighted@mood"]
    (lines,) = set.union(*(held_out(row.recipe) for row in plan.rows))
    assert len(lines) == 12


def test_equal_twins_run_once(tmp_path: Path) -> None:
    plan = load_study(write(tmp_path))
    assert {row.name: row.same_as for row in plan.rows if row.same_as} == {
        "weighted@topic": "both@topic",
        "weighted@mood": "both@mood",
    }


def test_the_recipe_of_a_twin_repeats_its_run(tmp_path: Path) -> None:
    twin = load_study(write(tmp_path)).rows[3].recipe
    assert set(twin.held_out_with or {}) == {"mood", "stars"}
    (tmp_path / "again.toml").write_text(recipe_to_toml(twin))
    again = load_recipe(tmp_path / "again.toml")
    assert held_out(again) == held_out(twin)
    dev, bad = held_out_examples(again, "topic")
    assert {tuple(dev.lines.tolist())} == held_out(twin)
    assert not bad
