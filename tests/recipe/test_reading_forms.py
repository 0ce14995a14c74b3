"""Recipes over CoNLL files, files of columns and nested JSON: read, checked, written and compared like others."""

from __future__ import annotations

import json
import random
from itertools import permutations
from pathlib import Path
from typing import Any

import pytest
from tests.recipe.test_reading_tasks import read

from manyheads.errors import DataError, RecipeError
from manyheads.recipe.begin import current_fingerprints
from manyheads.recipe.load import load_recipe, recipe_to_toml
from manyheads.recipe.prepare import read_tasks

HEAD = 'encoder = "x"\n[tasks.t]\nkind = "classification"\n'
LINES = HEAD + 'text = "text"\nlabel = "label"\n'


def columns(folder: Path, split: str, rows: int = 8) -> None:
    """Write a split as files of columns. Each has texts of its own."""
    (folder / split).mkdir()
    words = random.Random(split)
    texts = [" ".join(words.choices("abcdefgh", k=6)) for _ in range(rows)]
    (folder / split / "seq.in").write_text("".join(f"{text}\n" for text in texts))
    (folder / split / "label").write_text("".join(f"{'xy'[row % 2]}\n" for row in range(rows)))


def spec(split: str, *, reverse: bool = False) -> str:
    files = [f'text = "{split}/seq.in"', f'label = "{split}/label"']
    return f"{{{', '.join(reversed(files) if reverse else files)}}}"


def test_files_of_columns_are_read_in_every_split(tmp_path: Path) -> None:
    for split in ("train", "dev", "test"):
        columns(tmp_path, split)
    (tmp_path / "test" / "label").write_text("x\n" + "\n" * 7)
    keys = "".join(f"{split} = {spec(split)}\n" for split in ("train", "dev", "test"))
    data, _ = read(tmp_path, keys, LINES)
    assert data.test is not None
    assert [len(each) for each in (data.train, data.dev, data.test)] == [8, 8, 8]
    assert data.task.kind.labels == ("x", "y")
    assert str(data.test.targets[:2].tolist()) == "[0.0, nan]"
    assert set(data.fingerprints) == {f"label={name}/label, text={name}/seq.in" for name in ("train", "dev", "test")}


def test_a_test_file_may_have_one_column(tmp_path: Path) -> None:
    columns(tmp_path, "train")
    columns(tmp_path, "test")
    data, _ = read(tmp_path, f'train = {spec("train")}\ndev = 0.5\ntest = {{text = "test/seq.in"}}\n', LINES)
    assert data.test is not None
    assert len(data.test) == 8


def test_the_order_of_the_columns_changes_nothing(tmp_path: Path) -> None:
    columns(tmp_path, "train")
    found = []
    for reverse in (False, True):
        (tmp_path / "r.toml").write_text(f"{LINES}train = {spec('train', reverse=reverse)}\ndev = 0.25\n")
        recipe = load_recipe(tmp_path / "r.toml")
        found.append((recipe_to_toml(recipe), repr(recipe), current_fingerprints(recipe)))
    assert found[0] == found[1]
    (tmp_path / "again.toml").write_text(found[0][0])
    assert load_recipe(tmp_path / "again.toml") == load_recipe(tmp_path / "r.toml")


def test_tasks_that_read_the_same_files_hold_out_the_same_rows(tmp_path: Path) -> None:
    columns(tmp_path, "train", 20)
    (tmp_path / "train" / "seq.out").write_text("".join(f"{'uvw'[row % 3]}\n" for row in range(20)))
    files = ['text = "train/seq.in"', 'label = "train/label"', 'slots = "train/seq.out"']
    held = set()
    for order in list(permutations(files))[:3]:
        table = f"train = {{{', '.join(order)}}}\ndev = 0.3\n"
        (tmp_path / "r.toml").write_text(LINES + table + LINES.partition("\n")[2].replace("tasks.t", "tasks.u") + table)
        first, second = read_tasks(load_recipe(tmp_path / "r.toml", ["tasks.u.label=slots"]), lambda *_, **__: None)
        assert list(first.dev.lines) == list(second.dev.lines)
        held.add(tuple(first.dev.lines))
    assert len(held) == 1


@pytest.mark.parametrize("split", ["dev", "test"])
@pytest.mark.parametrize("other", [spec("train"), '{text = "train/seq.in", label = "b"}', '"train/label"'])
def test_a_file_of_a_column_is_not_read_for_two_splits(tmp_path: Path, split: str, other: str) -> None:
    dev = "" if split == "dev" else "dev = 0.5\n"
    (tmp_path / "r.toml").write_text(f"{LINES}train = {spec('train')}\n{dev}{split} = {other}\n")
    with pytest.raises(RecipeError, match=f"the {split} file is the training file"):
        load_recipe(tmp_path / "r.toml")


def test_set_changes_one_file_or_all(tmp_path: Path) -> None:
    columns(tmp_path, "train")
    (tmp_path / "r.toml").write_text(f"{LINES}train = {spec('train')}\ndev = 0.5\n")

    def train(*changes: str) -> Any:
        return load_recipe(tmp_path / "r.toml", changes).tasks["t"].train

    assert train("tasks.t.train.text=other") == {"label": "train/label", "text": "other"}
    assert train('tasks.t.train={text = "a", label = "b"}') == {"label": "b", "text": "a"}
    assert train("tasks.t.train=a.csv") == "a.csv"


@pytest.mark.parametrize("table", ["{}", '{text = ""}', "{text = 1}", '{text = ["a"]}', '{"" = "a"}'])
def test_a_table_without_files_is_an_error_at_its_key(tmp_path: Path, table: str) -> None:
    (tmp_path / "r.toml").write_text(f"{LINES}train = {table}\ndev = 0.5\n")
    with pytest.raises(RecipeError, match=r"r\.toml:6, key tasks\.t\.train"):
        load_recipe(tmp_path / "r.toml")


def test_an_unknown_format_is_an_error_at_its_key(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(f'{LINES}train = "a.csv"\ndev = 0.5\nformat = "conl"\n')
    with pytest.raises(RecipeError, match=r"r\.toml:8, key tasks\.t\.format") as caught:
        load_recipe(tmp_path / "r.toml")
    assert "did you mean 'conll'?" in str(caught.value)


def test_the_words_of_a_conll_file_are_texts(tmp_path: Path) -> None:
    sentences = [f"word{row}\t{'xy'[row % 2]}\nend\tO\n" for row in range(8)]
    (tmp_path / "a.annotated").write_text("\n".join([*sentences, "odd\n"]))
    keys = 'train = "a.annotated"\ndev = 0.25\ntext = "words"\nlabel = "tags"\n'
    keys += 'columns = ["words", "tags"]\nformat = "conll"\n'
    with pytest.raises(DataError, match="several labels in a cell"):
        read(tmp_path, keys, HEAD)
    with pytest.raises(DataError, match=r"a\.annotated:25: 1 column where 2 are expected"):
        read(tmp_path, keys + 'labels = ["x", "y"]\n', HEAD)


def nested(folder: Path, name: str, rows: list[Any]) -> None:
    (folder / name).write_text("".join(json.dumps(row) + "\n" for row in rows))


def question(number: int, split: str) -> dict[str, Any]:
    choices = [{"text": f"{split}{number}{letter}"} for letter in "ab"]
    return {
        "q": {"stem": f"why {split} {number}", "choices": choices},
        "meta": {"key": "xy"[number % 2], "name": f"{split}-{number}", "page": number // 2},
    }


PATHS = """text = ["q.stem", "q.choices[].text"]
label = "meta.key"
id = "meta.name"
group = "meta.page"
on_bad_rows = "skip"
"""


def test_every_column_of_a_task_may_be_a_path(tmp_path: Path) -> None:
    wrong = {"q": {"stem": ["a", ["b"]], "choices": []}, "meta": {"key": "x", "name": "odd", "page": 1}}
    rows = [question(row, "train") for row in range(8)]
    nested(tmp_path, "a.jsonl", [*rows, {"q": "text", "meta": {}}, wrong, {"q": {"stem": "x"}, "meta": None}])
    nested(tmp_path, "b.jsonl", [question(row, "dev") for row in range(4)])
    data, _ = read(tmp_path, f'train = "a.jsonl"\ndev = "b.jsonl"\ntest = "b.jsonl"\n{PATHS}', HEAD)
    assert list(data.train.texts[0])[:2] == ["why train 0", "why train 1"]
    assert list(data.train.texts[1])[:2] == ["train0a train0b", "train1a train1b"]
    assert list(data.dev.ids) == [f"dev-{row}" for row in range(4)]
    assert data.dev.groups is not None
    assert data.dev.groups[0] == data.dev.groups[1] != data.dev.groups[2]
    assert data.test is not None
    assert data.test.targets.tolist() == [0.0, 1.0, 0.0, 1.0]
    (bad,) = data.rejected.values()
    assert [row.line for row in bad] == [9, 10, 11]
    assert bad[0].reason.startswith("a string at 'q'")
    assert bad[1].reason == "text 'q.stem' is a list and not text or a number"


def test_an_unknown_path_names_the_nearest_column(tmp_path: Path) -> None:
    nested(tmp_path, "a.jsonl", [question(row, "train") for row in range(8)])
    with pytest.raises(DataError, match=r"no column 'q\.stm'(.|\n)*q\.choices\[\]\.text(.|\n)*did you mean 'q\.stem'"):
        read(tmp_path, 'train = "a.jsonl"\ndev = 0.5\ntext = "q.stm"\nlabel = "meta.key"\n', HEAD)
