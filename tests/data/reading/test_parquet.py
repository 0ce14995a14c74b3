"""Parquet: rows in order with their types, and an error that names a damaged file."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest

from manyheads.data.reading import Row
from manyheads.data.reading.parquet import BATCH, Parquet
from manyheads.errors import DataError


def write(folder: Path, columns: dict[str, list[object]]) -> Parquet:
    path = folder / "file.parquet"
    pl.DataFrame(columns).write_parquet(path, row_group_size=1000)
    return Parquet(path)


def test_rows_have_their_types_and_row_numbers(tmp_path: Path) -> None:
    source = write(tmp_path, {"text": ["a", None], "label": [1, 0], "score": [0.5, 2.0]})
    assert source.columns == ("text", "label", "score")
    expected = [Row(1, {"text": "a", "label": 1, "score": 0.5}), Row(2, {"text": None, "label": 0, "score": 2.0})]
    assert list(source.rows()) == expected
    assert list(source.rows()) == expected


def test_every_row_is_read_once_across_batches(tmp_path: Path) -> None:
    count = 2 * BATCH + 17
    source = write(tmp_path, {"number": list(range(count))})
    rows = [row for row in source.rows() if isinstance(row, Row)]
    assert [row.values["number"] for row in rows] == list(range(count))
    assert [row.line for row in rows] == list(range(1, count + 1))


def test_a_file_that_is_not_parquet_is_an_error(tmp_path: Path) -> None:
    path = tmp_path / "file.parquet"
    path.write_text("id,text\n")
    with pytest.raises(DataError, match=r"cannot be read as Parquet\n.*file\.parquet"):
        Parquet(path)


def test_a_file_with_damaged_rows_is_an_error(tmp_path: Path) -> None:
    source = write(tmp_path, {"text": [f"a text of the row {row}" for row in range(5000)]})
    path = tmp_path / "file.parquet"
    content = bytearray(path.read_bytes())
    content[4:2000] = bytes(1996)
    path.write_bytes(content)
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        list(source.rows())


def test_a_file_without_rows_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no rows"):
        write(tmp_path, {"text": []})
