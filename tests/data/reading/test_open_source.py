"""Opening a file by its ending: the reader or an error with a hint, and the contract of every reader."""

from __future__ import annotations

import gzip
import hashlib
import json
from pathlib import Path

import polars as pl
import pytest

from manyheads.data.reading import Row, TextFormat, open_source
from manyheads.data.reading.formats import FORMATS, endings
from manyheads.errors import DataError

RECORDS: list[dict[str, object]] = [{"text": "first", "label": "1"}, {"text": 'a, b; "c"', "label": "0"}]


def write(path: Path) -> None:
    """Write the same two rows in the format of the file's ending."""
    if path.suffix == ".parquet":
        pl.DataFrame(RECORDS).write_parquet(path)
    elif path.suffix == ".json":
        path.write_text(json.dumps(RECORDS, indent=1))
    elif path.suffix in (".jsonl", ".ndjson"):
        path.write_text("".join(json.dumps(record) + "\n" for record in RECORDS))
    elif path.suffix == ".xml":
        items = "".join(f"<item><text>{each['text']}</text><label>{each['label']}</label></item>" for each in RECORDS)
        path.write_text(f"<items>{items}</items>")
    elif path.suffix in FORMATS["fasttext"].endings:
        path.write_text("".join(f"__label__{each['label']} {each['text']}\n" for each in RECORDS))
    else:
        path.write_text('text\tlabel\nfirst\t1\n"a, b; ""c"""\t0\n')


@pytest.mark.parametrize("ending", endings(sentences=False))
def test_every_reader_gives_the_same_rows_repeatedly(tmp_path: Path, ending: str) -> None:
    path = tmp_path / f"file{ending}"
    write(path)
    source = open_source(path.name, tmp_path)
    assert source.name == str(path)
    assert source.columns == ("text", "label")
    for _ in range(2):
        assert [row.values for row in source.rows() if isinstance(row, Row)] == RECORDS
    assert source.fingerprint() == hashlib.sha256(path.read_bytes()).hexdigest()


def test_an_absolute_path_does_not_depend_on_the_folder(tmp_path: Path) -> None:
    write(tmp_path / "file.TSV")
    assert open_source(str(tmp_path / "file.TSV"), Path("/elsewhere")).columns == ("text", "label")


def test_a_missing_file_names_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path / "sst-train.csv")
    with pytest.raises(DataError, match="no such file") as caught:
        open_source("sst_train.csv", tmp_path)
    assert str(tmp_path / "sst_train.csv") in str(caught.value)
    assert "'sst-train.csv'" in str(caught.value)


def test_a_missing_folder_is_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source("nowhere/train.csv", tmp_path)


def test_an_unsupported_ending_is_reported_with_the_supported_ones(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"unsupported file ending(.|\n)*\.jsonl") as caught:
        open_source("train.xlsx", tmp_path)
    assert caught.value.found == ".xlsx"


@pytest.mark.parametrize("ending", endings())
def test_an_empty_file_is_an_error(tmp_path: Path, ending: str) -> None:
    (tmp_path / f"file{ending}").touch()
    with pytest.raises(DataError, match="the file is empty"):
        open_source(f"file{ending}", tmp_path)


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if not each.sentences])
def test_the_named_format_wins_over_the_ending(tmp_path: Path, name: str) -> None:
    ending = FORMATS[name].endings[0]
    write(tmp_path / f"file{ending}")
    for other in ("file.annotated", "file", "file.conll", "file.parquet.data"):
        (tmp_path / other).write_bytes((tmp_path / f"file{ending}").read_bytes())
        source = open_source(other, tmp_path, TextFormat(format=name))
        assert [row.values for row in source.rows() if isinstance(row, Row)] == RECORDS


def test_a_compressed_file_of_a_named_format_is_decompressed(tmp_path: Path) -> None:
    (tmp_path / "file.data.gz").write_bytes(gzip.compress(b"text,label\none,1\n"))
    (row,) = open_source("file.data.gz", tmp_path, TextFormat(format="csv")).rows()
    assert row == Row(2, {"text": "one", "label": "1"})
    with pytest.raises(DataError, match="unsupported file ending") as caught:
        open_source("file.data.gz", tmp_path, TextFormat(format="parquet"))
    assert caught.value.hint == "decompress the file"


def test_an_unknown_format_is_an_error_with_the_nearest_one(tmp_path: Path) -> None:
    write(tmp_path / "file.csv")
    with pytest.raises(DataError, match="unknown format") as caught:
        open_source("file.csv", tmp_path, TextFormat(format="conl"))
    assert caught.value.hint == "did you mean 'conll'?"
    assert caught.value.allowed == "tsv, csv, jsonl, json, parquet, conll, conllu, fasttext, xml"


def test_a_folder_has_the_files_of_the_named_format(tmp_path: Path) -> None:
    write(tmp_path / "one.csv")
    write(tmp_path / "two.jsonl")
    assert open_source(".", tmp_path, TextFormat(format="jsonl")).name == str(tmp_path / "two.jsonl")
