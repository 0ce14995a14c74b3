"""The key `group` of a task: rows that belong together are held out together and are one cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import DataError, RecipeError, RunError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.reports.content import build_report
from manyheads.reports.document import text_of
from manyheads.runs.measure import measure_run
from manyheads.studies.cells import cells_of, state_of
from manyheads.studies.load import load_study

TASK = """
[tasks.{name}]
kind = "classification"
train = "all.csv"
dev = {dev}
text = "text"
label = "{label}"
{more}
"""

USERS = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A file of 60 rows of 12 users, and a dev file of 20 rows of 5 users."""
    for name, rows, users in (("all", 60, USERS), ("dev", 20, 5)):
        lines = ["text,mood,topic,user", *(f"{name} {row},{row % 2},{row % 3},u{row % users}" for row in range(rows))]
        (tmp_path / f"{name}.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def recipe(folder: Path, *tasks: str, encoder: object = "x") -> Path:
    file = folder / "recipe.toml"
    file.write_text(f'encoder = "{encoder}"\nthreads = 1\n' + "".join(tasks) + "[training]\nmax_steps = 2\n")
    return file


def task(name: str, label: str, *, dev: str = "0.25", more: str = "") -> str:
    return TASK.format(name=name, label=label, dev=dev, more=more)


def read(file: Path) -> dict[str, TaskData]:
    return {each.task.name: each for each in read_tasks(load_recipe(file), lambda event, **fields: None)}


def users(data: TaskData) -> tuple[set[int], set[int]]:
    return tuple({(line - 2) % USERS for line in side.lines.tolist()} for side in (data.train, data.dev))  # type: ignore[return-value]


GROUP = 'group = "user"'


def test_the_users_of_a_file_are_on_one_side_for_every_task_that_reads_it(folder: Path) -> None:
    found = read(recipe(folder, task("mood", "mood", more=GROUP), task("topic", "topic")))
    for data in found.values():
        train, dev = users(data)
        assert not train & dev
        assert len(dev) == 3
    assert found["mood"].dev.lines.tolist() == found["topic"].dev.lines.tolist()
    plain = read(recipe(folder, task("mood", "mood"), task("topic", "topic")))
    train, dev = users(plain["mood"])
    assert train & dev


def test_a_task_with_a_dev_file_keeps_its_users_on_one_side_as_well(folder: Path) -> None:
    found = read(recipe(folder, task("mood", "mood", dev='"dev.csv"', more=GROUP), task("topic", "topic")))
    train, dev = users(found["topic"])
    assert dev
    assert not train & dev


def test_twins_of_a_study_hold_out_the_same_users(folder: Path) -> None:
    recipe(folder, task("mood", "mood", more=GROUP), task("topic", "topic"))
    (folder / "study.toml").write_text('base = "recipe.toml"\nseeds = [1]\n[rows.base]\n')
    held = {}
    for row in load_study(folder / "study.toml").rows:
        for data in read_tasks(row.recipe, lambda event, **fields: None):
            held[row.name, data.task.name] = data.dev.lines.tolist()
    assert set(held) == {("base", "mood"), ("base", "topic"), ("base@mood", "mood"), ("base@topic", "topic")}
    assert len({tuple(lines) for lines in held.values()}) == 1


def test_a_missing_column_or_cell_is_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match="the file has no column 'usr'") as caught:
        read(recipe(folder, task("mood", "mood", more='group = "usr"')))
    assert "user" in str(caught.value.hint)
    (folder / "dev.csv").write_text("text,mood,user\na,0,u1\nb,1,\n")
    with pytest.raises(DataError, match="group 'user' is missing") as missing:
        read(recipe(folder, task("mood", "mood", dev='"dev.csv"', more=GROUP)))
    assert "dev.csv:3" in str(missing.value)
    with pytest.raises(RecipeError, match="also the column of groups"):
        load_recipe(recipe(folder, task("mood", "mood", more='group = "mood"')))


def test_a_test_file_may_lack_the_column(folder: Path) -> None:
    (folder / "test.csv").write_text("text\nsome text\n")
    warnings: list[str] = []
    file = recipe(folder, task("mood", "mood", more=f'{GROUP}\ntest = "test.csv"'))
    (data,) = read_tasks(load_recipe(file), lambda event, **fields: warnings.append(str(fields.get("text"))))
    assert data.test is not None
    assert data.test.groups is None
    assert any("has no column 'user'" in text for text in warnings)


def test_users_are_clusters_of_a_run_and_of_its_evaluation(folder: Path, tiny_encoder: Path) -> None:
    tasks = (task("mood", "mood", dev='"dev.csv"', more=GROUP), task("topic", "topic", dev='"dev.csv"', more=GROUP))
    run = manyheads.train(recipe(folder, *tasks, encoder=tiny_encoder), folder / "run")
    found = {}
    for name in ("mood", "topic"):
        evaluations = run.folder.read_evaluations(run.folder.read_results(), name, "dev")
        assert evaluations is not None
        found[name] = evaluations.clusters
        assert len(np.unique(evaluations.clusters)) == 5
    assert found["mood"].tolist() == found["topic"].tolist()
    results = run.folder.read_results()["best"]
    assert measure_run(folder / "run").scores["intervals"] == results["intervals"]
    report = text_of(build_report(folder / "run"), "md")
    assert "in 5 clusters" in report
    assert "4 degrees of freedom" in report
    _without_users(folder)
    plain = measure_run(folder / "run", task="mood", file=folder / "no-users.csv")
    assert plain.scores["tasks"] == {"mood": results["tasks"]["mood"]}
    assert plain.scores["intervals"]["mood"] != results["intervals"]["mood"]


def _without_users(folder: Path) -> None:
    lines = (folder / "dev.csv").read_text().splitlines()
    (folder / "no-users.csv").write_text("\n".join(line.rpartition(",")[0] for line in lines) + "\n")


def test_a_run_is_measured_on_the_users_that_it_held_out(folder: Path, tiny_encoder: Path) -> None:
    run = manyheads.train(recipe(folder, task("mood", "mood", more=GROUP), encoder=tiny_encoder), folder / "run")
    results = run.folder.read_results()["best"]
    found = measure_run(folder / "run").scores
    assert (found["tasks"], found["intervals"]) == (results["tasks"], results["intervals"])


def test_check_shows_the_number_of_groups(folder: Path, tiny_encoder: Path) -> None:
    file = recipe(folder, task("mood", "mood", more=GROUP), encoder=tiny_encoder)
    result = CliRunner().invoke(app, ["check", str(file)])
    assert result.exit_code == 0, result.output
    assert "mood train (all.csv): 9 groups of 45 rows" in result.output
    assert "mood dev (all.csv): 3 groups of 15 rows" in result.output


def test_a_changed_group_is_another_run(folder: Path, tiny_encoder: Path) -> None:
    file = recipe(folder, task("mood", "mood", dev='"dev.csv"', more=GROUP), encoder=tiny_encoder)
    study = folder / "study.toml"
    study.write_text('base = "recipe.toml"\nseeds = [1]\ntwins = []\n[rows.base]\n')
    (cell,) = cells_of(load_study(study), folder / "out")
    manyheads.train(file, cell.folder, changes=["seed=1"])
    assert state_of(cell) == "done"
    for changed in ("", 'group = "topic"'):
        recipe(folder, task("mood", "mood", dev='"dev.csv"', more=changed), encoder=tiny_encoder)
        (other,) = cells_of(load_study(study), folder / "out")
        with pytest.raises(RunError, match="another recipe") as caught:
            state_of(other)
        assert "group" in str(caught.value.found)


def test_a_group_that_the_first_objects_of_a_file_lack_is_reported_with_its_line(folder: Path) -> None:
    lines = [f'{{"text": "t{row}", "mood": {row % 2}, "user": "u{row % 3}"}}' for row in range(20)]
    lines[0] = lines[0].replace(', "user": "u0"', "")
    (folder / "dev.jsonl").write_text("\n".join(lines) + "\n")
    with pytest.raises(DataError, match="group 'user' is missing") as caught:
        read(recipe(folder, task("mood", "mood", dev='"dev.jsonl"', more=GROUP)))
    assert "dev.jsonl:1" in str(caught.value)
