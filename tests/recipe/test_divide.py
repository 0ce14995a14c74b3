"""A share of a file is held out once for all tasks that read the file, stratified by their labels."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import manyheads
from manyheads.checks.rehearse import rehearse
from manyheads.data.examples import Examples
from manyheads.data.split import NONE, hold_out
from manyheads.errors import DataError, RecipeError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.runs.measure import measure_run

TASK = """
[tasks.{name}]
kind = "{kind}"
train = "{file}"
dev = {dev}
text = {text}
label = "{label}"
on_bad_rows = "skip"
"""


def write(folder: Path, encoder: Path, *tasks: str) -> Path:
    file = folder / "recipe.toml"
    file.write_text(
        f'encoder = "{encoder}"\nthreads = 1\n' + "".join(tasks) + "[training]\nepochs = 1\nmax_steps = 2\n"
    )
    return file


def task(name: str, label: str, *, dev: str = "0.2", text: str = '"text"', file: str = "all.tsv", **more: str) -> str:
    return TASK.format(name=name, label=label, dev=dev, text=text, file=file, kind=more.get("kind", "classification"))


def table(folder: Path, rows: Sequence[Sequence[object]]) -> None:
    lines = ["text\tother\tmood\ttopic\tstars", *("\t".join(map(str, row)) for row in rows)]
    (folder / "all.tsv").write_text("\n".join(lines) + "\n")


def read(recipe: Path) -> tuple[dict[str, TaskData], list[str]]:
    said: list[str] = []
    data = read_tasks(load_recipe(recipe), lambda event, **fields: said.append(str(fields.get("text"))))
    return {each.task.name: each for each in data}, said


def sides(data: TaskData) -> tuple[set[int], set[int]]:
    return set(data.train.lines.tolist()), set(data.dev.lines.tolist())


@pytest.fixture
def forty(tmp_path: Path) -> Path:
    """40 rows. Some have no topic, some no number of stars; every text is twice in the file."""
    rows = [
        (f"text {n // 2}", f"other {n}", ("good", "bad", "so so")[n % 3], "abcd"[n // 10] if n % 7 else "", n % 5 or "")
        for n in range(40)
    ]
    table(tmp_path, rows)
    return tmp_path


def test_a_row_is_on_the_same_side_for_every_task(forty: Path, tiny_encoder: Path) -> None:
    tasks = [task("mood", "mood"), task("topic", "topic"), task("stars", "stars", kind="regression")]
    tasks.append(task("pairs", "mood", text='["text", "other"]', file="./all.tsv"))
    data, _ = read(write(forty, tiny_encoder, *tasks))
    trains, devs = zip(*map(sides, data.values()), strict=True)
    assert not set().union(*trains) & set().union(*devs)
    assert len(set().union(*devs)) == 8
    texts = [
        {text for examples in each for text in examples.texts[0]}
        for each in zip(*[(each.train, each.dev) for each in data.values()], strict=True)
    ]
    assert not texts[0] & texts[1]


def test_every_label_of_every_task_is_on_both_sides(tmp_path: Path, tiny_encoder: Path) -> None:
    rng = np.random.default_rng(0)
    rows = [(f"text {n}", "", f"m{rng.integers(3)}", f"t{min(9, rng.geometric(0.4))}", 1) for n in range(300)]
    table(tmp_path, rows)
    data, _ = read(write(tmp_path, tiny_encoder, task("mood", "mood"), task("topic", "topic")))
    for each in data.values():
        train, dev = (Counter(examples.targets.tolist()) for examples in (each.train, each.dev))
        for label in train.keys() | dev.keys():
            total = train[label] + dev[label]
            assert train[label] > 0
            assert total < 2 or dev[label] > 0
            assert abs(dev[label] - 0.2 * total) <= 4


def test_one_task_is_stratified_exactly(tmp_path: Path, tiny_encoder: Path) -> None:
    table(tmp_path, [(f"text {n}", "", "rare" if n % 20 == 0 else "common", "", "") for n in range(200)])
    data, said = read(write(tmp_path, tiny_encoder, task("mood", "mood")))
    assert Counter(data["mood"].dev.targets.tolist()) == {0.0: 38, 1.0: 2}
    assert not any("row has the label" in text for text in said)


def test_classes_that_one_side_lacks_are_named(tmp_path: Path, tiny_encoder: Path) -> None:
    moods = [*["good"] * 30, *["bad"] * 30, "once"]
    table(tmp_path, [(f"text {n}", "", mood, "", "") for n, mood in enumerate(moods)])
    data, said = read(write(tmp_path, tiny_encoder, task("mood", "mood")))
    assert "mood: no dev row has the label 'once'" in said
    assert 2.0 in data["mood"].train.targets


def test_a_task_without_a_row_on_a_side_is_an_error(tmp_path: Path, tiny_encoder: Path) -> None:
    rows = [(f"text {n}", "", ("good", "bad")[n % 2], "a" if n == 3 else "", "") for n in range(40)]
    table(tmp_path, rows)
    topic = task("topic", "topic").replace('label = "topic"', 'label = "topic"\nlabels = ["a", "b"]')
    with pytest.raises(DataError, match="all rows of the task are in training"):
        read(write(tmp_path, tiny_encoder, task("mood", "mood"), topic))


def test_the_lengths_of_an_audit_are_those_before_truncation(tmp_path: Path, tiny_encoder: Path) -> None:
    table(tmp_path, [("the film " * 40 + str(n), "", ("good", "bad")[n % 2], "", "") for n in range(20)])
    audit = rehearse(load_recipe(write(tmp_path, tiny_encoder, task("mood", "mood")))).files[0]
    assert audit.cut == audit.rows
    assert audit.tokens[0] > 80


def test_other_shares_of_one_file_are_refused(forty: Path, tiny_encoder: Path) -> None:
    recipe = write(forty, tiny_encoder, task("mood", "mood"), task("topic", "topic", dev="0.3"))
    with pytest.raises(RecipeError, match="different shares of one file") as caught:
        read(recipe)
    assert caught.value.where == "tasks.mood.dev and tasks.topic.dev"


def test_a_task_with_a_dev_file_does_not_train_on_rows_that_another_holds_out(forty: Path, tiny_encoder: Path) -> None:
    (forty / "dev.tsv").write_text("text\ttopic\nnew\ta\nnewer\tb\n")
    data, said = read(write(forty, tiny_encoder, task("mood", "mood"), task("topic", "topic", dev='"dev.tsv"')))
    assert not sides(data["topic"])[0] & sides(data["mood"])[1]
    assert any(text.startswith("topic: ") and "left out of training" in text for text in said)


def test_the_run_is_measured_on_its_held_out_rows(forty: Path, tiny_encoder: Path) -> None:
    run = manyheads.train(write(forty, tiny_encoder, task("mood", "mood"), task("topic", "topic")), forty / "run")
    for name in ("mood", "topic"):
        recorded = run.results["best"]["tasks"][name]
        assert measure_run(run.folder.path, task=name).scores["tasks"][name] == pytest.approx(recorded)


def examples_of(texts: Sequence[str], lines: Sequence[int]) -> Examples:
    ids, targets = [str(line) for line in lines], np.zeros(len(lines))
    return Examples("task", "file.csv", ids, (list(texts),), targets, np.array(lines))


@settings(deadline=None, max_examples=150)
@given(st.data())
def test_any_file(data: st.DataObject) -> None:
    """Whatever the labels, every row of every task is on one side, with all rows of equal texts."""
    count = data.draw(st.integers(4, 40))
    texts = data.draw(st.lists(st.sampled_from("abcdefghijkl"), min_size=count, max_size=count))
    codes = [np.array(data.draw(st.lists(st.integers(NONE, 3), min_size=count, max_size=count))) for _ in range(2)]
    readers, strata = [], []
    for code in codes:
        rows = np.flatnonzero(code != NONE)
        if len(rows):
            readers.append(examples_of([texts[row] for row in rows], rows.tolist()))
            strata.append(code[rows])
    used = {text for each in readers for text in each.texts[0]}
    if len(used) < 2:
        return
    held = hold_out(readers, data.draw(st.floats(0.05, 0.95)), strata)
    trains = [set(train.texts[0]) for train, _ in held]
    devs = [set(dev.texts[0]) for _, dev in held]
    assert not set().union(*trains) & set().union(*devs)
    assert all(len(train) + len(dev) == len(each) for (train, dev), each in zip(held, readers, strict=True))
    assert sum(map(len, trains)) > 0
    assert sum(map(len, devs)) > 0


def test_rows_of_several_files_are_distinguished(tmp_path: Path) -> None:
    for name, offset in (("a", 0), ("b", 30)):
        rows = [f"text {n + offset}\t{'glad' if n % 3 else 'sad'}\t{'xy'[n % 7 == 0]}" for n in range(30)]
        (tmp_path / f"{name}.tsv").write_text("\n".join(["text\tmood\ttopic", *rows]) + "\n")
    files = '["a.tsv", "b.tsv"]'
    both = [task(name, name).replace('"all.tsv"', files) for name in ("mood", "topic")]
    data, _ = read(write(tmp_path, tmp_path, *both))
    held = [list(each.dev.texts[0]) for each in data.values()]
    assert held[0] == held[1]
    assert len(held[0]) == 12
    numbers = {int(text.split()[1]) for text in held[0]}
    assert {number % 30 for number in numbers if number < 30} != {number % 30 for number in numbers if number >= 30}
