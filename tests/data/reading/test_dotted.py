"""Dotted paths: cells inside JSON objects and Parquet structs are columns, and wrong types are bad rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from manyheads.data.reading import BadRow, Row, Source, listed_columns, open_source
from manyheads.data.reading.dotted import DottedPath
from manyheads.data.table import require_column
from manyheads.errors import DataError

NESTED: list[dict[str, Any]] = [
    {"q": {"stem": "why", "choices": [{"text": "a", "label": "A"}, {"text": "b", "label": "B"}]}, "key": "A"},
    {"q": {"stem": None, "choices": []}, "key": None},
    {"q": None, "key": "B"},
]
PATHS = ("q.stem", "q.choices[].text", "q.choices[0].text", "q.choices[1]")
CELLS = [
    {
        "q.stem": "why",
        "q.choices[].text": ["a", "b"],
        "q.choices[0].text": "a",
        "q.choices[1]": {"text": "b", "label": "B"},
    },
    {"q.stem": None, "q.choices[].text": [], "q.choices[0].text": None, "q.choices[1]": None},
    dict.fromkeys(PATHS),
]


def write(folder: Path, records: list[Any], ending: str = ".jsonl") -> Path:
    path = folder / f"file{ending}"
    if ending == ".parquet":
        pl.DataFrame(records).write_parquet(path)
    elif ending == ".json":
        path.write_text(json.dumps(records))
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def opened(folder: Path, records: list[Any], *names: str, ending: str = ".jsonl") -> Source:
    return open_source(write(folder, records, ending).name, folder, wanted=names)


@pytest.mark.parametrize("ending", [".jsonl", ".json", ".parquet"])
def test_cells_at_paths_are_columns(tmp_path: Path, ending: str) -> None:
    source = opened(tmp_path, NESTED, *PATHS, ending=ending)
    assert source.columns == ("q", "key", *PATHS)
    found = [row for row in source.rows() if isinstance(row, Row)]
    assert [{path: row.values[path] for path in PATHS} for row in found] == CELLS
    assert all(row.added == set(PATHS) for row in found)
    assert [row.values["key"] for row in found] == ["A", None, "B"]


@given(st.dictionaries(st.sampled_from("abc"), st.dictionaries(st.sampled_from("xyz"), st.integers()), max_size=3))
def test_a_path_finds_what_indexing_finds(record: dict[str, dict[str, int]]) -> None:
    for outer in "abc":
        for inner in "xyz":
            path = DottedPath.of(f"{outer}.{inner}")
            assert path is not None
            assert path.find(record) == record.get(outer, {}).get(inner)
            assert path.is_in(record) == (inner in record.get(outer, {}))


@pytest.mark.parametrize("name", ["a", "", "a..b", ".a", "a.", "a[x]", "a[-1]", "[0]", "a b", "a[]b"])
def test_other_names_are_no_paths(name: str) -> None:
    assert DottedPath.of(name) is None


def test_a_column_whose_own_name_has_dots_wins(tmp_path: Path) -> None:
    source = opened(tmp_path, [{"a.b": 1, "a": {"b": 2}}, {"a": {"b": 3}}], "a.b")
    assert [row.values.get("a.b") for row in source.rows() if isinstance(row, Row)] == [1, None]
    late = opened(tmp_path, [{"a": {"b": 2}}] * 120 + [{"a.b": 1, "a": {"b": 3}}], "a.b")
    *_, last = late.rows()
    assert isinstance(last, Row)
    assert (last.values["a.b"], last.added) == (1, frozenset())


@pytest.mark.parametrize(
    ("record", "reason"),
    [
        ({"q": "text"}, "a string at 'q', where the path 'q.choices[].text' expects an object"),
        ({"q": {"choices": 5}}, "a number at 'q.choices', where the path 'q.choices[].text' expects a list"),
        ({"q": {"choices": {}}}, "an object at 'q.choices', where the path 'q.choices[].text' expects a list"),
        ({"q": {"choices": ["a"]}}, "a string at 'q.choices[]', where the path 'q.choices[].text' expects an object"),
        ({"q": {"choices": [[]]}}, "a list at 'q.choices[]', where the path 'q.choices[].text' expects an object"),
    ],
)
def test_a_wrong_type_on_the_way_is_a_bad_row(tmp_path: Path, record: object, reason: str) -> None:
    source = opened(tmp_path, [*NESTED, record], "q.choices[].text")
    *_, bad = source.rows()
    assert bad == BadRow(source.name, 4, reason)


def test_a_path_that_is_in_no_row_is_an_error_with_the_nearest_one(tmp_path: Path) -> None:
    source = opened(tmp_path, NESTED, "q.stm", "q.choices[].txt")
    assert source.columns == ("q", "key")
    with pytest.raises(DataError, match=r"the file has no column 'q\.stm'") as caught:
        require_column(source, "q.stm", "task")
    assert caught.value.allowed == "q.stem, q.choices[].text, q.choices[].label, key"
    assert caught.value.hint == "did you mean 'q.stem'?"


def test_a_path_may_be_in_a_late_row_only(tmp_path: Path) -> None:
    records = [{"a": {"x": 1}}] * 150 + [{"a": {"y": 2}}]
    assert opened(tmp_path, records, "a.y").columns == ("a", "a.y")


def test_the_columns_of_an_error_are_bounded(tmp_path: Path) -> None:
    deep: dict[str, Any] = {"x": 1}
    for _ in range(40):
        deep = {"d": deep}
    source = opened(tmp_path, [{"wide": {str(key): key for key in range(1000)}, "deep": deep}])
    assert len(listed_columns(source)) <= 101


def test_the_paths_are_in_the_form(tmp_path: Path) -> None:
    forms = [opened(tmp_path, NESTED, *names).form for names in ((), ("q.stem",), ("q.choices[].text",))]
    assert len({repr(dict(form)) for form in forms}) == 3


def test_delimited_files_have_no_paths(tmp_path: Path) -> None:
    (tmp_path / "file.csv").write_text("a.b,label\none,1\n")
    assert open_source("file.csv", tmp_path, wanted=["a.b", "label.x"]).columns == ("a.b", "label")
