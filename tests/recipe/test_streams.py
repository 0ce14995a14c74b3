"""Tasks that read the same rows: which tasks those are, empty cells, bad rows, held-out rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.data.examples import Examples
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.json_lines import JsonLines
from manyheads.errors import DataError, ManyheadsError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.recipe.tasks import groups_of, streams_of
from manyheads.studies.load import load_study

TASK = """
[tasks.{name}]
kind = "classification"
train = "{train}"
dev = {dev}
text = {text}
label = "{name}"
"""

HEADER = "text,other,mood,topic"


def rows(count: int, *cells: str) -> list[str]:
    """Return rows with two moods and three topics, and further rows."""
    return [*(f"text {row},other {row},m{row % 2},t{row % 3}" for row in range(count)), *cells]


def write(folder: Path, train: list[str], dev: list[str] | None = None, **more: str) -> Path:
    """Write the files and a recipe with the tasks `mood` and `topic`. `more`: further keys of both tasks, or of one."""
    (folder / "train.csv").write_text("\n".join([HEADER, *train]) + "\n")
    (folder / "dev.csv").write_text("\n".join([HEADER, *(rows(6) if dev is None else dev)]) + "\n")
    tables = []
    for name in ("mood", "topic"):
        table = TASK.format(name=name, train="train.csv", dev=more.get("side", '"dev.csv"'), text='"text"')
        tables.append(table + more.get("both", "") + more.get(name, ""))
    file = folder / "recipe.toml"
    file.write_text('encoder = "minilm-offline"\n' + "".join(tables) + more.get("end", ""))
    return file


def read(recipe: Path, *changes: str) -> dict[str, TaskData]:
    return {each.task.name: each for each in read_tasks(load_recipe(recipe, list(changes)), _ignore)}


def _ignore(event: str, **fields: Any) -> None:
    """Ignore an event."""


def labels(data: TaskData, split: str = "train") -> list[object]:
    """Return the label of every row, None for an empty cell."""
    targets = getattr(data, split).targets
    return [None if np.isnan(target) else data.task.kind.present(target) for target in targets]


def test_an_empty_cell_is_no_fault_where_another_task_has_a_label(tmp_path: Path) -> None:
    data = read(write(tmp_path, rows(3, "a,b,,t0", "c,d,m1,")))
    assert labels(data["mood"]) == ["m0", "m1", "m0", None, "m1"]
    assert labels(data["topic"]) == ["t0", "t1", "t2", "t0", None]
    assert data["mood"].train.texts is data["topic"].train.texts
    assert (data["mood"].holes, data["topic"].holes, data["mood"].rejected) == (1, 1, {})
    assert {each.stream for each in data.values()} == {"mood+topic"}


def test_an_empty_cell_is_a_bad_row_where_one_task_reads_the_file(tmp_path: Path) -> None:
    recipe = write(tmp_path, rows(3, "a,b,,t0"))
    (tmp_path / "copy.csv").write_bytes((tmp_path / "train.csv").read_bytes())
    with pytest.raises(DataError, match=r"train.csv:5: label is missing"):
        read(recipe, "tasks.topic.train=copy.csv")


def test_a_row_without_any_label_is_a_bad_row(tmp_path: Path) -> None:
    recipe = write(tmp_path, rows(3, "a,b,,"))
    with pytest.raises(DataError, match=r"train.csv:5: no task has a label in this row"):
        read(recipe)
    with pytest.raises(DataError, match=r"train.csv:5: no task"):
        read(recipe, "tasks.mood.on_bad_rows=skip")
    data = read(recipe, "tasks.mood.on_bad_rows=skip", "tasks.topic.on_bad_rows=skip")
    assert [len(each.train) for each in data.values()] == [3, 3]
    assert [[row.line for row in bad] for bad in data["mood"].rejected.values()] == [[5]]
    assert data["topic"].rejected == {}


def test_a_row_of_the_second_of_two_files_is_named_with_its_file(tmp_path: Path) -> None:
    recipe = write(tmp_path, rows(3))
    (tmp_path / "more.csv").write_text("\n".join([HEADER, *rows(2, "a,b,,")]) + "\n")
    files = '["train.csv", "more.csv"]'
    with pytest.raises(DataError, match=r"more.csv:4: no task"):
        read(recipe, f"tasks.mood.train={files}", f"tasks.topic.train={files}")


def test_a_label_that_cannot_be_read_is_a_bad_row_of_its_task_only(tmp_path: Path) -> None:
    recipe = write(tmp_path, rows(3, "a,b,wrong,t0", "c,d,wrong,"), mood='labels = ["m0", "m1"]\n')
    with pytest.raises(DataError, match="2 rows cannot be used"):
        read(recipe, "tasks.topic.on_bad_rows=skip")
    data = read(recipe, "tasks.mood.on_bad_rows=skip")
    assert labels(data["mood"]) == ["m0", "m1", "m0", None]
    assert labels(data["topic"]) == ["t0", "t1", "t2", "t0"]
    assert [[row.line for row in bad] for bad in data["mood"].rejected.values()] == [[5, 6]]
    assert data["topic"].rejected == {}


def test_dev_rows_have_the_labels_of_their_own_task(tmp_path: Path) -> None:
    data = read(write(tmp_path, rows(4), rows(2, "a,b,,t0", "c,d,m1,")))
    assert labels(data["mood"], "dev") == ["m0", "m1", "m1"]
    assert labels(data["topic"], "dev") == ["t0", "t1", "t0"]


def test_a_dev_file_of_one_task_has_no_empty_cells(tmp_path: Path) -> None:
    recipe = write(tmp_path, rows(4, "a,b,,t0"))
    (tmp_path / "own.csv").write_text("\n".join([HEADER, *rows(3, "a,b,,t0")]) + "\n")
    assert len(read(recipe, "tasks.topic.dev=own.csv")["topic"].dev) == 4
    with pytest.raises(DataError, match=r"own.csv:5: label is missing"):
        read(recipe, "tasks.mood.dev=own.csv")


def test_a_row_is_on_one_side_for_all_tasks_also_where_it_lacks_labels(tmp_path: Path) -> None:
    holes = [f"hole {row},x,{'' if row % 2 else 'm0'},{'t1' if row % 2 else ''}" for row in range(20)]
    recipe = write(tmp_path, rows(30, *holes), side="0.2")
    data = read(recipe)
    train = [set(each.train.lines.tolist()) for each in data.values()]
    dev = [set(each.dev.lines.tolist()) for each in data.values()]
    assert train[0] == train[1]
    assert not train[0] & (dev[0] | dev[1])
    assert train[0] | dev[0] | dev[1] == set(range(2, 52))
    apart = read(recipe, "batching.streams=separate")
    assert [set(each.dev.lines.tolist()) for each in apart.values()] == dev
    assert [labels(each) for each in apart.values()] == [[c for c in labels(each) if c] for each in data.values()]


def test_a_sample_has_the_same_rows_for_all_tasks(tmp_path: Path) -> None:
    holes = [f"hole {row},x,{'' if row % 2 else 'm0'},{'t1' if row % 2 else ''}" for row in range(20)]
    recipe = write(tmp_path, rows(20, *holes), both="train_rows = 12\n")
    data = read(recipe)
    assert data["mood"].train.lines.tolist() == data["topic"].train.lines.tolist()
    assert len(data["mood"].train) == 12
    apart = read(recipe, "batching.streams=separate")
    assert [len(each.train) + data[name].holes for name, each in apart.items()] == [12, 12]


@pytest.mark.parametrize("key", ["train_rows=2", 'id="other"', "quoting=none", 'text="other"', 'train="more.csv"'])
def test_tasks_that_read_other_rows_or_in_another_way_are_apart(key: str, tmp_path: Path) -> None:
    file = write(tmp_path, rows(3))
    assert groups_of(load_recipe(file).tasks) == [("mood", "topic")]
    recipe = load_recipe(file, [f"tasks.mood.{key}"])
    assert streams_of(recipe) == {"mood": ("mood",), "topic": ("topic",)}


def test_a_cross_encoded_and_a_bi_encoded_pair_are_apart(tmp_path: Path) -> None:
    text = 'tasks.{}.text=["text", "other"]'
    recipe = write(tmp_path, rows(3))
    both = [text.format("mood"), text.format("topic")]
    assert groups_of(load_recipe(recipe, both).tasks) == [("mood", "topic")]
    assert groups_of(load_recipe(recipe, [*both, "tasks.mood.pair=bi"]).tasks) == [("mood",), ("topic",)]


def test_a_task_alone_reads_the_rows_that_it_reads_in_company(tmp_path: Path) -> None:
    """The twins of a study have one task, and the other task still says which rows may lack a label."""
    holes = [f"hole {row},x,{'' if row % 2 else 'm0'},{'t1' if row % 2 else ''}" for row in range(20)]
    for side in ('"dev.csv"', "0.2"):
        write(tmp_path, rows(20, *holes), rows(4, "a,b,,t0"), side=side)
        study = tmp_path / "study.toml"
        study.write_text('base = "recipe.toml"\nseeds = [1]\nbaseline = "all"\n[rows.all]\n')
        plan = load_study(study)
        whole = {each.task.name: each for each in read_tasks(plan.row("all").recipe, _ignore)}
        for name in ("mood", "topic"):
            (alone,) = read_tasks(plan.row(f"all@{name}").recipe, _ignore)
            assert labels(alone) == [label for label in labels(whole[name]) if label]
            assert alone.dev.ids == whole[name].dev.ids
            assert alone.stream == name


def test_a_task_without_a_label_in_the_file_is_refused(tmp_path: Path) -> None:
    recipe = write(tmp_path, ["a,b,,t0", "c,d,,t1"], mood='labels = ["m0", "m1"]\n')
    with pytest.raises(ManyheadsError, match="no usable rows"):
        read(recipe)


def passes(recipe: Path, cache: Path, source: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[list[str], list[Examples]]:
    """Return the file of each pass over rows with an empty cache, and the examples of all tasks."""
    monkeypatch.setenv("MANYHEADS_CACHE", str(cache))
    read_files: list[str] = []
    whole = source._rows if source is Delimited else source.rows

    def counted(self: Any, **options: Any) -> Any:
        read_files.append(Path(self.name).stem)
        return whole(self, **options)

    monkeypatch.setattr(source, whole.__name__, counted)
    data = read_tasks(load_recipe(recipe), _ignore)
    monkeypatch.undo()
    return read_files, [each for one in data for each in (one.train, one.dev, one.test) if each is not None]


def same_examples(one: list[Examples], other: list[Examples]) -> None:
    for left, right in zip(one, other, strict=True):
        assert [*left.ids, *left.texts[0]] == [*right.ids, *right.texts[0]]
        np.testing.assert_array_equal(left.targets, right.targets)
        assert (left.key, left.warnings) == (right.key, right.warnings)


@pytest.mark.parametrize("form", ["csv", "jsonl"])
def test_a_file_is_read_once_for_all_tasks_of_a_stream(
    form: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe = write(tmp_path, rows(20, "of,the,,t1", "and,a,m1,", "short row"), both='on_bad_rows = "skip"\n')
    (tmp_path / "test.csv").write_text("\n".join([HEADER, *rows(4, "the,of,,new")]))
    text = recipe.read_text().replace('dev = "dev.csv"', 'dev = "dev.csv"\ntest = "test.csv"')
    if form == "jsonl":
        text = (
            text.replace(".csv", ".jsonl").replace('label = "mood"', 'label = "of.mood"').replace('topic"', 'of.topic"')
        )
        for split in ("train", "dev", "test"):
            lines = [line.split(",") for line in (tmp_path / f"{split}.csv").read_text().splitlines()[1:]]
            found = [{"text": each[0], "of": {"mood": each[2], "topic": each[3]}} for each in lines if len(each) == 4]
            (tmp_path / f"{split}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in found))
    recipe.write_text(text)
    source = Delimited if form == "csv" else JsonLines
    once, together = passes(recipe, tmp_path / "one", source, monkeypatch)
    monkeypatch.setattr("manyheads.data.table.read_together", lambda sources: False)
    monkeypatch.setattr("manyheads.recipe.tasks.read_together", lambda sources: False)
    apart_files, apart = passes(recipe, tmp_path / "two", source, monkeypatch)
    same_examples(together, apart)
    assert len(once) < len(apart_files)
    if form == "csv":
        # Once for the labels and once for the rows.
        assert once == ["train", "train", "dev", "test"]
        assert sorted(apart_files) == sorted(once * 2)


def test_tasks_read_a_file_apart_if_their_label_columns_decide_its_rows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A quoted field spans two lines that look like rows. For one task they are two rows, whose labels others have.

    The rows of a stream are then those that both tasks can read.
    """
    broken = ['text 1,"other 1,m1,t1', 'text 2,other 2",m0,t7']
    recipe = write(tmp_path, rows(9, *broken), both='on_bad_rows = "skip"\n')
    found, together = passes(recipe, tmp_path / "one", Delimited, monkeypatch)
    monkeypatch.setattr("manyheads.data.table.read_together", lambda sources: False)
    monkeypatch.setattr("manyheads.recipe.tasks.read_together", lambda sources: False)
    _, apart = passes(recipe, tmp_path / "two", Delimited, monkeypatch)
    same_examples(together, apart)
    assert found.count("train") > 2
    assert not list((tmp_path / "one").rglob(".*"))
