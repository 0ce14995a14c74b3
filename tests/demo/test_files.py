"""The demo corpus as CSV files."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from manyheads.demo.generate import CORPUS, SIZES, TABLES, write_csv_files
from manyheads.errors import DataError


def corpus_rows(task: str, split: str) -> list[list[str]]:
    lines = (CORPUS / f"{task}-{split}.tsv").read_text(encoding="utf-8").splitlines()
    return [line.split("\t") for line in lines[1:]]


def test_six_files_have_the_rows_of_the_corpus(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "new folder"
    written = write_csv_files(folder)
    assert sorted(path.name for path in written) == sorted(path.name for path in folder.iterdir())
    assert written == {
        folder / "reviews.csv": 800,
        folder / "questions.csv": 800,
        folder / "sentences.csv": 800,
        folder / "reviews-dev.csv": 250,
        folder / "questions-dev.csv": 250,
        folder / "sentences-dev.csv": 250,
    }
    for task, (name, header) in TABLES.items():
        for split in SIZES:
            path = folder / f"{name}{'' if split == 'train' else '-dev'}.csv"
            with path.open(encoding="utf-8", newline="") as file:
                first, *rows = csv.reader(file, strict=True)
            assert first == list(header)
            assert rows == corpus_rows(task, split)
            assert b"\r" not in path.read_bytes()


def test_cells_with_commas_are_quoted(tmp_path: Path) -> None:
    write_csv_files(tmp_path)
    lines = (tmp_path / "reviews.csv").read_text(encoding="utf-8").splitlines()
    assert 'sent-train-0002,"All in all, a magnificent film.",4' in lines


def test_writing_again_changes_nothing(tmp_path: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in write_csv_files(tmp_path)}
    (tmp_path / "sentences.csv").unlink()
    del before[tmp_path / "sentences.csv"]
    again = write_csv_files(tmp_path)
    assert (tmp_path / "sentences.csv") in again
    assert (tmp_path / "sentences.csv").is_file()
    assert {path: path.stat().st_mtime_ns for path in before} == before


def test_a_file_with_other_content_is_not_overwritten(tmp_path: Path) -> None:
    mine = tmp_path / "sentences-dev.csv"
    mine.write_text("id,text\n")
    with pytest.raises(DataError, match="already exists") as error:
        write_csv_files(tmp_path)
    assert error.value.where == str(mine)
    assert [path.name for path in tmp_path.iterdir()] == ["sentences-dev.csv"]
    assert mine.read_text() == "id,text\n"
