"""`predict --input` and `evaluate --input` read CoNLL files, files of columns, nested JSON and named formats."""

from __future__ import annotations

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

import manyheads
from manyheads.cli.main import app
from manyheads.data.reading import Row, TextFormat
from manyheads.errors import DataError
from manyheads.inference.formats import format_of
from manyheads.inference.rows import open_input
from manyheads.inference.table import InputTable
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.task import Task

TASK = Task(
    name="t",
    kind=Classification([0, 1]),
    text=("q.stem",),
    label="label",
    id="meta.name",
    pair=None,
    head="linear",
    dropout=0.0,
    loss="cross_entropy",
    metric="accuracy",
)


def run(command: str, of: manyheads.Run, *options: object) -> Result:
    arguments = [command, str(of.folder.path), "--task", "sentiment", *map(str, options)]
    result: Result = CliRunner().invoke(app, arguments)
    return result


def test_the_sentences_of_a_conll_file_are_predicted(trained: manyheads.Run, tmp_path: Path) -> None:
    content = "A\tX\nfine\tX\nfilm\tX\n\nodd\n\nBad\tX\n"
    (tmp_path / "file.conll").write_text(content)
    (tmp_path / "file.annotated").write_text(content)
    done = run("predict", trained, "--input", tmp_path / "file.conll", "--columns", "sentence, tags")
    assert done.exit_code == 3, done.output
    first, bad, last = map(json.loads, done.stdout.splitlines())
    assert (first["sentence"], first["tags"]) == (["A", "fine", "film"], ["X", "X", "X"])
    assert {"prediction", "probabilities"} < first.keys()
    assert bad["error"] == "1 column where 2 are expected"
    assert last["sentence"] == ["Bad"]
    options = ("--input-format", "conll", "--columns", "sentence,")
    named = run("predict", trained, "--input", tmp_path / "file.annotated", *options)
    assert json.loads(named.stdout.splitlines()[0])["probabilities"] == first["probabilities"]
    unnamed = run("predict", trained, "--input", tmp_path / "file.conll")
    assert "the file has no column 'sentence'" in str(unnamed.exception)


def test_a_file_of_each_column_is_predicted_and_measured(trained: manyheads.Run, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("A fine film\n\nA bad film\n")
    (tmp_path / "out").write_text("4\n3\n1\n")
    files = f'{{sentence = "{tmp_path}/in", sentiment = "{tmp_path}/out"}}'
    done = run("predict", trained, "--input", files)
    assert done.exit_code == 3, done.output
    first, missing, _ = map(json.loads, done.stdout.splitlines())
    assert (first["sentence"], first["sentiment"]) == ("A fine film", "4")
    assert missing["error"] == "text 'sentence' is missing"
    assert run("predict", trained, "--input", f'{{sentence = "{tmp_path}/in"}}').exit_code == 3
    (tmp_path / "in").write_text("A fine film\nSo so\nA bad film\n")
    content = json.loads(run("evaluate", trained, "--input", files, "--json").stdout)
    assert content["examples"] == {"sentiment": 3}


@pytest.mark.parametrize("files", ["{", "{}", "{a = 1}", '{a = "b"', '{a = ""}'])
def test_a_wrong_table_of_files_is_an_error(trained: manyheads.Run, files: str) -> None:
    for command in ("predict", "evaluate"):
        error = run(command, trained, "--input", files).exception
        assert isinstance(error, DataError)
        assert error.where == "--input"


def test_a_named_format_and_named_columns_are_measured(trained: manyheads.Run, tmp_path: Path) -> None:
    (tmp_path / "file.data").write_text("A fine film,4\nA bad film,1\n")
    options = ("--input", tmp_path / "file.data", "--columns", "sentence,sentiment", "--json")
    content = json.loads(run("evaluate", trained, *options, "--input-format", "csv").stdout)
    assert content["examples"] == {"sentiment": 2}
    error = run("evaluate", trained, *options, "--input-format", "cvs").exception
    assert isinstance(error, DataError)
    assert error.hint == "did you mean 'csv'?"


@pytest.mark.parametrize("ending", [".jsonl", ".parquet"])
@pytest.mark.parametrize("format_", [True, False])
def test_the_output_of_nested_input_has_the_cells_of_the_file_only(tmp_path: Path, ending: str, format_: bool) -> None:
    records = [{"q": {"stem": "why"}, "meta": {"name": "one"}}, {"q": {"stem": "how"}, "meta": {"name": "two"}}]
    path = tmp_path / (f"file{ending}" if not format_ else "file.data")
    if ending == ".parquet":
        pl.DataFrame(records).write_parquet(path)
    else:
        path.write_text("".join(json.dumps(record) + "\n" for record in records))
    source = open_input(str(path), TASK, TextFormat(format=ending[1:]) if format_ else TextFormat())
    rows = [row for row in source.rows() if isinstance(row, Row)]
    assert [(row.values["q.stem"], row.values["meta.name"]) for row in rows] == [("why", "one"), ("how", "two")]
    table = InputTable(source, complete=True)
    assert table.columns == ("q", "meta")
    assert [table.cells(row) for row in rows] == records
    assert format_of(source) == ending[1:]


def test_an_input_without_the_path_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "file.jsonl").write_text('{"q": {"stm": "why"}}\n')
    with pytest.raises(DataError, match=r"the file has no column 'q\.stem'") as caught:
        open_input(str(tmp_path / "file.jsonl"), TASK)
    assert caught.value.hint == "did you mean 'q.stm'?"
