"""Several files: lists, patterns and folders in order, JSON arrays, and names with the marks of a pattern."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest

from manyheads.data.given import given_table
from manyheads.data.reading import BadRow, Row, open_source
from manyheads.errors import DataError


def csv(path: Path, *rows: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(["text,label", *rows]) + "\n")
    return path


def texts(spec: str | list[str], folder: Path) -> list[object]:
    return [row.values["text"] for row in open_source(spec, folder).rows() if isinstance(row, Row)]


def test_a_list_is_read_in_order_with_the_lines_of_each_file(tmp_path: Path) -> None:
    csv(tmp_path / "b.csv", "one,1", "broken", "two,0")
    (tmp_path / "a.jsonl").write_text('{"text": "three", "label": 1}\n')
    source = open_source(["b.csv", "a.jsonl"], tmp_path)
    assert texts(["b.csv", "a.jsonl"], tmp_path) == ["one", "two", "three"]
    rows = [(row.file, row.line) for row in source.rows() if isinstance(row, Row)]
    assert rows == [(str(tmp_path / "b.csv"), 2), (str(tmp_path / "b.csv"), 4), (str(tmp_path / "a.jsonl"), 1)]
    assert [str(row) for row in source.rows() if isinstance(row, BadRow)] == [
        f"{tmp_path / 'b.csv'}:3: 1 field where the header has 2"
    ]
    before = source.fingerprint()
    assert open_source(["a.jsonl", "b.csv"], tmp_path).fingerprint() != before
    csv(tmp_path / "b.csv", "one,1", "two,1")
    assert source.fingerprint() != before


def test_patterns_and_folders_are_sorted(tmp_path: Path) -> None:
    for number in (2, 0, 1):
        csv(tmp_path / "shards" / f"part-{number}.csv", f"text {number},1")
    (tmp_path / "shards" / "_SUCCESS").touch()
    (tmp_path / "shards" / ".part-0.csv.crc").touch()
    (tmp_path / "shards" / "README.md").write_text("notes")
    expected = ["text 0", "text 1", "text 2"]
    assert texts("shards", tmp_path) == expected
    assert texts("shards/part-*.csv", tmp_path) == expected
    assert texts("shards/part-[02].csv", tmp_path) == ["text 0", "text 2"]
    assert texts("**/part-?.csv", tmp_path) == expected
    with pytest.raises(DataError, match="no file matches the pattern"):
        open_source("shards/part-*.tsv", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="no data files"):
        open_source("empty", tmp_path)


@pytest.mark.parametrize("ending", ["csv", "parquet", "jsonl"])
@pytest.mark.parametrize(("marked", "plain"), [("d[1]", "d1"), ("d*", "dx"), ("d?", "dy"), ("{a}", "a")])
def test_a_path_that_exists_is_that_file(tmp_path: Path, ending: str, marked: str, plain: str) -> None:
    for folder in (marked, plain):
        path = csv(tmp_path / folder / f"train.{ending}", f"{folder},1")
        if ending == "parquet":
            with path.open("wb") as file:
                pl.DataFrame({"text": [folder], "label": [1]}).write_parquet(file)
        if ending == "jsonl":
            path.write_text(json.dumps({"text": folder, "label": 1}))
    assert texts(f"{marked}/train.{ending}", tmp_path) == [marked]
    assert texts(f"{marked}/tr*.{ending}", tmp_path) == [marked]
    assert texts(marked, tmp_path) == [marked]


def test_files_without_a_common_column_are_refused(tmp_path: Path) -> None:
    csv(tmp_path / "a.csv", "one,1")
    (tmp_path / "b.jsonl").write_text('{"words": "x"}\n')
    with pytest.raises(DataError, match="no column in common"):
        open_source(["a.csv", "b.jsonl"], tmp_path)


def test_an_array_of_objects_is_read_with_the_line_of_each(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('[\n {"text": "a\\u2028b", "n": [1]},\n\n {"text": "b",\n  "label": 1}, 7\n]\n')
    source = open_source("a.json", tmp_path)
    assert source.columns == ("text", "n", "label")
    assert [row.line for row in source.rows()] == [2, 4, 5]
    assert [str(row) for row in source.rows() if isinstance(row, BadRow)] == [
        f"{tmp_path / 'a.json'}:5: a number where a JSON object is expected"
    ]


def test_a_json_file_may_have_lines(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text('{"text": "a"}\n{"text": "b"}\n')
    assert texts("a.json", tmp_path) == ["a", "b"]


@pytest.mark.parametrize("end", ["", "]]", "] x", ', {"text" 1}]', "} "])
def test_a_damaged_array_is_refused_with_the_line(tmp_path: Path, end: str) -> None:
    (tmp_path / "a.json").write_text('[\n{"text": "a"}\n' + end)
    with pytest.raises(DataError, match="not a valid array") as caught:
        open_source("a.json", tmp_path)
    assert str(caught.value.where).startswith(f"{tmp_path / 'a.json'}:")


def test_named_classes_of_parquet_metadata_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["bad", "good"]))
    data = datasets.Dataset.from_dict({"text": ["a", "b", "c"], "label": [1, 0, -1]}, features=features)
    data.to_parquet(tmp_path / "a.parquet")
    rows = [row.values["label"] for row in open_source("a.parquet", tmp_path).rows() if isinstance(row, Row)]
    assert rows == ["good", "bad", None]


def test_names_of_classes_in_lists_are_read(tmp_path: Path) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    names = datasets.Sequence(datasets.ClassLabel(names=["O", "B-city"]))
    features = datasets.Features(words=datasets.Sequence(datasets.Value("string")), tags=names)
    cells = {"words": [["in", "Oslo"], ["no"], ["a", "b"]], "tags": [[0, 1], [0], [-1, -1]]}
    data = datasets.Dataset.from_dict(cells, features=features)
    data.to_parquet(tmp_path / "a.parquet")
    rows = [row.values["tags"] for row in open_source("a.parquet", tmp_path).rows() if isinstance(row, Row)]
    assert rows == [["O", "B-city"], ["O"], None]
    assert given_table(data, "tasks.t.train").names == {"tags": ["O", "B-city"]}
