"""A recipe's files: labels as they are written, the keys that describe files, and what is reported about them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from manyheads.errors import DataError, RecipeError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.labels import Label

HEAD = 'encoder = "x"\n[tasks.t]\nkind = "classification"\ntext = "text"\nlabel = "label"\n'


class Events:
    """Keeps the texts of events."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def __call__(self, event: str, **fields: Any) -> None:
        if event == "warning":
            self.texts.append(str(fields["text"]))


def read(folder: Path, keys: str, head: str = HEAD) -> tuple[TaskData, list[str]]:
    (folder / "r.toml").write_text(head + keys)
    events = Events()
    (data,) = read_tasks(load_recipe(folder / "r.toml"), events)
    return data, events.texts


def labels_of(data: TaskData) -> tuple[Label, ...]:
    assert isinstance(data.task.kind, Classification)
    return tuple(data.task.kind.labels)


def csv(folder: Path, name: str, labels: list[str], header: str = "text,label") -> None:
    lines = [header, *(f"some text {number},{label}" for number, label in enumerate(labels))]
    (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")


FILES = 'train = "a.csv"\ndev = "b.csv"\n'


def test_labels_are_spelled_as_in_the_file(tmp_path: Path) -> None:
    labels = ["007", "010", "100", "1E2"]
    csv(tmp_path, "a.csv", labels * 3)
    csv(tmp_path, "b.csv", labels)
    data, warnings = read(tmp_path, FILES)
    assert [str(data.task.kind.present(target)) for target in data.dev.targets] == labels
    assert any("100" in text and "'1E2'" in text and "look alike" in text for text in warnings)


def test_long_ids_are_unchanged(tmp_path: Path) -> None:
    ids = ["1234567890123456789", "1234567890123456788"]
    rows = [{"text": f"text {row}", "label": "ab"[row % 2], "key": int(ids[row % 2])} for row in range(4)]
    for name in ("a.jsonl", "b.jsonl"):
        (tmp_path / name).write_text("".join(json.dumps(row) + "\n" for row in rows))
    data, _ = read(tmp_path, 'train = "a.jsonl"\ndev = "b.jsonl"\nid = "key"\n')
    assert list(data.dev.ids) == ids * 2


def test_two_spellings_of_a_number_in_one_file_are_one_class_with_a_warning(tmp_path: Path) -> None:
    csv(tmp_path, "a.csv", ["0", "0.0", "1.0"] * 2)
    csv(tmp_path, "b.csv", ["0", "1"])
    for labels in ("", "labels = [0, 1]\n"):
        data, warnings = read(tmp_path, FILES + labels)
        assert labels_of(data) == (0, 1)
        assert warnings == [f"t: {tmp_path / 'a.csv'}: the labels '0' and '0.0' are the same class 0"]


@pytest.mark.parametrize("pair", [("Pos", "pos"), ("caf\u00e9", "cafe\u0301"), ("no", "no\u200b")])
def test_labels_that_look_alike_give_a_warning_that_names_both(tmp_path: Path, pair: tuple[str, str]) -> None:
    csv(tmp_path, "a.csv", [*pair, "other"] * 2)
    csv(tmp_path, "b.csv", [*pair])
    data, (warning,) = read(tmp_path, FILES)
    assert len(labels_of(data)) == 3
    assert all(repr(label) in warning for label in pair)


def test_a_boolean_column_has_the_same_labels_in_every_format(tmp_path: Path) -> None:
    values = [True, False] * 3
    rows = [{"text": f"text {row}", "label": value} for row, value in enumerate(values)]
    csv(tmp_path, "a.csv", [str(value) for value in values])
    csv(tmp_path, "b.csv", [str(value).lower() for value in values])
    (tmp_path / "a.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    with (tmp_path / "a.parquet").open("wb") as file:
        pl.DataFrame(rows).write_parquet(file)
    for name in ("a.csv", "a.jsonl", "a.parquet"):
        data, _ = read(tmp_path, f'train = "{name}"\ndev = "b.csv"\n')
        assert [repr(label) for label in labels_of(data)] == ["False", "True"]
        assert data.dev.targets.tolist() == [float(value) for value in values]


@pytest.mark.parametrize("labels", [["1.1", "1.10", "2.0"], ["0123", "123"]])
@pytest.mark.parametrize("ending", ["parquet", "jsonl"])
def test_text_of_typed_formats_stays_text(tmp_path: Path, labels: list[str], ending: str) -> None:
    rows = [{"text": f"text {row}", "label": labels[row % len(labels)]} for row in range(12)]
    for name in ("a", "b"):
        with (tmp_path / f"{name}.{ending}").open("wb") as file:
            (pl.DataFrame(rows).write_parquet if ending == "parquet" else pl.DataFrame(rows).write_ndjson)(file)
    data, _ = read(tmp_path, f'train = "a.{ending}"\ndev = "b.{ending}"\n')
    assert labels_of(data) == tuple(sorted(labels))


def test_several_labels_in_a_cell_are_refused_with_the_line(tmp_path: Path) -> None:
    (tmp_path / "a.jsonl").write_text('{"text": "x", "label": ["A", "B"]}\n{"text": "y", "label": "A"}\n')
    with pytest.raises(DataError, match="several labels in a cell") as caught:
        read(tmp_path, 'train = "a.jsonl"\ndev = 0.5\n')
    assert caught.value.where == f"{tmp_path / 'a.jsonl'}:1"
    with pytest.raises(DataError, match=r"a\.jsonl:1: several labels in a cell"):
        read(tmp_path, 'train = "a.jsonl"\ndev = 0.5\nlabels = ["A", "B"]\n')


def test_two_merged_rows_stop_training_and_name_their_lines_and_the_key(tmp_path: Path) -> None:
    csv(tmp_path, "b.csv", ["A", "B"])
    sound = [f"{'AB'[number % 2]}\tsome text {number}" for number in range(40)]
    (tmp_path / "a.tsv").write_text("\n".join(["label\ttext", *sound, 'A\t"open here', 'B\tand closed"']) + "\n")
    with pytest.raises(DataError, match=r"a\.tsv:42: (.|\n)*a\.tsv:43: ") as caught:
        read(tmp_path, 'train = "a.tsv"\ndev = "b.csv"\n')
    assert 'quoting = "none"' in str(caught.value.hint)
    data, _ = read(tmp_path, 'train = "a.tsv"\ndev = "b.csv"\nquoting = "none"\n')
    assert len(data.train) == 42
    (tmp_path / "t.tsv").write_text('text\tnote\nfine\tx\n"open here\ty\nand closed"\tz\n')
    data, warnings = read(tmp_path, 'train = "a.tsv"\ndev = "b.csv"\nquoting = "none"\ntest = "t.tsv"\n')
    assert (warnings, data.test and len(data.test)) == ([], 3)
    (tmp_path / "a.tsv").write_text("\n".join(["label\ttext", *sound]) + "\n")
    data, warnings = read(tmp_path, 'train = "a.tsv"\ndev = "b.csv"\ntest = "t.tsv"\n')
    assert data.test is not None
    assert list(data.test.texts[0]) == ["fine", "open here\ty\nand closed"]
    assert warnings[0].startswith(f"t: {tmp_path / 't.tsv'}:3: a quoted field spans lines 3 to 4")


def test_the_keys_of_a_task_describe_its_files(tmp_path: Path) -> None:
    rows = "".join(f'{"AB"[number % 2]};"caf\u00e9 {number};"{number}"\n' for number in range(20))
    (tmp_path / "a.csv").write_bytes(rows.encode("cp1252"))
    keys = 'train = "a.csv"\ndev = 0.5\ndelimiter = ";"\nquoting = "none"\nencoding = "cp1252"\n'
    data, warnings = read(tmp_path, keys + 'columns = ["label", "text", "number"]\n')
    assert (warnings, min(*data.train.texts[0], *data.dev.texts[0]), labels_of(data)) == (
        [],
        '"caf\u00e9 0',
        ("A", "B"),
    )
    options = load_recipe(tmp_path / "r.toml").tasks["t"]
    assert options.text_format.columns == ("label", "text", "number")


def test_a_decimal_comma_is_suggested_and_understood(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("text;score\n" + "".join(f"text {number};{number},5\n" for number in range(4)))
    head = 'encoder = "x"\n[tasks.t]\nkind = "regression"\ntext = "text"\nlabel = "score"\n'
    keys = 'train = "a.csv"\ndev = 0.5\n'
    for more in ("", "range = [0, 5]\n"):
        with pytest.raises(DataError) as caught:
            read(tmp_path, keys + more, head)
        assert 'decimal = ","' in str(caught.value.hint)
    data, _ = read(tmp_path, keys + 'decimal = ","\n', head)
    assert data.task.kind == Regression(0.5, 3.5)


def test_a_header_that_is_data_is_reported_and_can_be_read(tmp_path: Path) -> None:
    rows = "".join(f"Row {number},{'AB'[number % 2]}\n" for number in range(9))
    (tmp_path / "a.csv").write_text("A row of text,A\n" + rows)
    with pytest.raises(DataError, match="no column 'label'") as caught:
        read(tmp_path, 'train = "a.csv"\ndev = 0.5\n')
    assert "the header looks like a row of data" in str(caught.value.hint)
    data, warnings = read(tmp_path, 'train = "a.csv"\ndev = 0.5\ncolumns = ["text", "label"]\n')
    assert (len(data.train) + len(data.dev), warnings) == (10, [])
    head = HEAD.replace('"text"', '"1"').replace('"label"', '"2"')
    data, _ = read(tmp_path, 'train = "a.csv"\ndev = 0.5\nheader = false\n', head)
    assert len(data.train) + len(data.dev) == 10
    head = HEAD.replace('"text"', '"A row of text"').replace('"label"', '"A"')
    _, warnings = read(tmp_path, 'train = "a.csv"\ndev = 0.5\n', head)
    assert any("looks like a row of data" in text for text in warnings)


def test_several_files_are_one_training_set(tmp_path: Path) -> None:
    (tmp_path / "shards").mkdir()
    csv(tmp_path, "a.csv", ["A", "B"])
    csv(tmp_path, "b.csv", ["A", ""])
    csv(tmp_path / "shards", "part-0.csv", ["B", "B", "A"])
    with pytest.raises(DataError, match=r"b\.csv:3: label is missing"):
        read(tmp_path, 'train = ["a.csv", "b.csv"]\ndev = "shards/part-*.csv"\n')
    data, _ = read(tmp_path, 'train = ["a.csv", "b.csv"]\ndev = "shards"\non_bad_rows = "skip"\n')
    assert (len(data.train), len(data.dev), data.train.lines.tolist()) == (3, 3, [2, 3, 2])
    assert set(data.fingerprints) == {"a.csv, b.csv", "shards"}
    (bad,) = next(iter(data.rejected.values()))
    assert str(bad) == f"{tmp_path / 'b.csv'}:3: label is missing"
    with pytest.raises(RecipeError, match="the dev file is the training file"):
        read(tmp_path, 'train = ["a.csv", "b.csv"]\ndev = ["b.csv"]\n')


@pytest.mark.parametrize("mark", ["-", "-1", "?"])
def test_a_test_file_with_withheld_labels_is_read(tmp_path: Path, mark: str) -> None:
    csv(tmp_path, "a.csv", ["0", "1"] * 3)
    csv(tmp_path, "b.csv", ["0", "1"])
    csv(tmp_path, "c.csv", ["0", mark, mark, ""])
    data, (warning, *_) = read(tmp_path, FILES + 'test = "c.csv"\n')
    assert data.test is not None
    assert [str(target) for target in data.test.targets] == ["0.0", "nan", "nan", "nan"]
    assert warning.startswith(f"t: {tmp_path / 'c.csv'}:3: label {mark!r} is not one of 0, 1; ")
    assert warning.endswith("2 rows without a usable label, only predicted")


@pytest.mark.parametrize(
    "key",
    ['delimiter = ";;"', 'quoting = "all"', 'encoding = "no-such"', 'decimal = ";"', "columns = []", "train = []"],
)
def test_values_that_are_not_allowed_name_the_key(tmp_path: Path, key: str) -> None:
    files = "" if key.startswith("train") else 'train = "a.csv"\n'
    with pytest.raises(RecipeError) as caught:
        read(tmp_path, files + f'dev = "b.csv"\n{key}\n')
    assert f"tasks.t.{key.split(maxsplit=1)[0]}" in str(caught.value)
