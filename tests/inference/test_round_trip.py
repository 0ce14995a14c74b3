"""What `predict` writes, read again, has every row and cell of its input, and the predictions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from typer.testing import CliRunner, Result

import manyheads
from manyheads.cli.main import app
from manyheads.data.reading import Row, TextFormat, open_file

AWKWARD = [
    "a\rb",
    "a\r\nb",
    " blank ",
    'say "no"',
    "semi;colon, comma\ttab",
    "=1+1",
    "\u2028line",
    "null",
    "1e400",
    "é\u0085",
]


def predict(run: manyheads.Run, *options: object, text: bytes = b"", task: str = "sentiment") -> Result:
    result: Result = CliRunner().invoke(
        app, ["predict", str(run.folder.path), "--task", task, *map(str, options)], input=text
    )
    return result


def read_again(file: Path, text: TextFormat | None = None) -> list[dict[str, Any]]:
    rows = list(open_file(file, text or TextFormat()).rows())
    assert all(isinstance(row, Row) for row in rows)
    return [dict(row.values) for row in rows if isinstance(row, Row)]


@pytest.mark.parametrize("ending", ["csv", "tsv", "jsonl", "parquet"])
@pytest.mark.parametrize("target", ["csv", "tsv", "jsonl", "parquet"])
def test_awkward_cells_come_back(trained: manyheads.Run, tmp_path: Path, ending: str, target: str) -> None:
    cells = [{"sentence": f"film {row}", "cell": cell, "last": "x"} for row, cell in enumerate(AWKWARD)]
    file, output = tmp_path / f"in.{ending}", tmp_path / f"out.{target}"
    if ending == "jsonl":
        file.write_text("".join(json.dumps(row) + "\n" for row in cells))
    elif ending == "parquet":
        pl.DataFrame(cells).write_parquet(file)
    else:
        with file.open("w", newline="", encoding="utf-8") as handle:
            writer = csv.writer(handle, delimiter="," if ending == "csv" else "\t", quoting=csv.QUOTE_ALL)
            writer.writerows([list(cells[0]), *(list(row.values()) for row in cells)])
    done = predict(trained, "--input", file, "--format", target, "--output", output)
    assert done.exit_code == 0, done.stderr
    found = read_again(output)
    assert [{name: row[name] for name in cells[0]} for row in found] == cells
    assert all(row["prediction"] not in (None, "") for row in found)
    again = tmp_path / f"again.{target}"
    assert predict(trained, "--input", output, "--output", again).exit_code == 0
    assert [{name: row[name] for name in found[0]} for row in read_again(again)] == found


def test_unnamed_columns_are_kept(trained: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text(",sentence,,n\n7,the lamp,x,1\n8,a film,y,2\n")
    rows = list(csv.reader(io.StringIO(predict(trained, "--input", file).stdout)))
    assert rows[0][:5] == ["", "sentence", "column_3", "n", "prediction"]
    assert [row[:4] for row in rows[1:]] == [["7", "the lamp", "x", "1"], ["8", "a film", "y", "2"]]
    for target in ("jsonl", "parquet"):
        output = tmp_path / f"out.{target}"
        assert predict(trained, "--input", file, "--format", target, "--output", output).exit_code == 0
        assert [row[""] for row in read_again(output)] == ["7", "8"]
        assert [row["column_3"] for row in read_again(output)] == ["x", "y"]


@pytest.mark.parametrize("target", ["csv", "tsv", "parquet", "jsonl"])
def test_late_keys_and_nested_cells_are_kept(trained: manyheads.Run, tmp_path: Path, target: str) -> None:
    cells: list[dict[str, Any]] = [{"sentence": f"film {row}"} for row in range(130)]
    cells[119] |= {"late": {"a": [1, None, True, "é"]}, "flag": False, "n": 2**63, "prediction": "own", "nothing": None}
    file, output = tmp_path / "in.jsonl", tmp_path / f"out.{target}"
    file.write_text("".join(json.dumps(row) + "\n" for row in cells))
    done = predict(trained, "--input", file, "--format", target, "--output", output)
    assert done.exit_code == 0, done.stderr
    found = read_again(output)
    assert len(found) == 130
    row = found[119]
    assert row["prediction"] == "own"
    assert row["prediction_"] not in (None, "")
    assert "the input has a column prediction, so the added column is named prediction_" in done.stderr
    if target == "jsonl":
        assert {name: row[name] for name in cells[119]} == cells[119]
        assert "late" not in found[0]
    else:
        assert json.loads(row["late"]) == cells[119]["late"]
        assert (row["flag"], row["n"]) == ("false", str(2**63))
        assert row["nothing"] in (None, "")


def test_added_keys_give_way_to_those_of_the_input(trained: manyheads.Run) -> None:
    own = {"sentence": "a film", "prediction": 1, "probabilities": 2, "error": 3, "line": 4, "id": 5, "value": 6}
    text = json.dumps(own) + "\n" + json.dumps({"prediction": 9}) + "\n"
    first, second = map(json.loads, predict(trained, text=text.encode()).stdout.splitlines())
    assert {name: first[name] for name in own} == own
    assert set(first["probabilities_"]) == set("01234")
    assert second["prediction"] == 9
    assert (second["line_"], second["error_"]) == (2, "text 'sentence' is missing")


def test_rows_with_a_wrong_number_of_fields_keep_their_cells(trained: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(b'id,sentence\n1,fine\n2,a,b,"c\nd"\n3\n4,"open\n5,x\xff\n')
    done = predict(trained, "--input", file)
    assert done.exit_code == 3
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    kept = ["id", "sentence", "field_3", "field_4", "input"]
    assert [[row[name] for name in kept] for row in rows] == [
        ["1", "fine", "", "", ""],
        ["2", "a", "b", "c\nd", ""],
        ["", "", "", "", "3"],
        ["", "", "", "", '4,"open'],
        ["", "", "", "", "5,x\ufffd"],
    ]
    lines = [json.loads(line) for line in predict(trained, "--input", file, "--format", "jsonl").stdout.splitlines()]
    assert lines[1] | {"error": ""} == {
        "id": "2",
        "sentence": "a",
        "field_3": "b",
        "field_4": "c\nd",
        "line": 3,
        "error": "",
    }
    broken = predict(trained, text=b'{"sentence": "a"}\n{"sentence": \n[1]\n').stdout.splitlines()
    assert [json.loads(line).get("input") for line in broken] == [None, '{"sentence": ', "[1]"]


def test_parquet_keeps_what_python_has_no_type_for(trained: manyheads.Run, tmp_path: Path) -> None:
    file, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    frame = pl.DataFrame(
        {
            "sentence": ["a film", "a lamp"],
            "at": pl.Series([1_700_000_000_123_456_789, None]).cast(pl.Datetime("ns")),
            "small": pl.Series([1.1, float("nan")], dtype=pl.Float32),
            "kind": pl.Series(["x", "y"], dtype=pl.Categorical),
            "raw": [b"\x00\xff", b""],
            "nested": [{"a": [1, 2]}, {"a": []}],
        }
    )
    frame.write_parquet(file)
    assert predict(trained, "--input", file, "--output", output).exit_code == 0
    assert pl.read_parquet(output).select(frame.columns).equals(frame)
    lines = predict(trained, "--input", file, "--format", "jsonl").stdout.splitlines()
    assert "NaN" not in lines[1]
    assert json.loads(lines[0])["raw"] == "AP8="
    rows = list(csv.DictReader(io.StringIO(predict(trained, "--input", file, "--format", "csv").stdout)))
    assert [json.loads(row["nested"]) for row in rows] == [{"a": [1, 2]}, {"a": []}]
    assert rows[0]["raw"] == "AP8="


@pytest.mark.parametrize(
    ("labels", "kind"),
    [
        ([False, True], pl.Boolean),
        ([0.5, 1.5], pl.Float64),
        ([1, 2], pl.Int64),
        ([0, 1.5], pl.Float64),
        (["a", "b"], pl.String),
        ([2**70, 1], pl.String),
        (["a", 1], pl.String),
    ],
)
def test_labels_keep_their_type_in_parquet(
    tiny_encoder: Path, tmp_path: Path, labels: Sequence[Any], kind: Any
) -> None:
    spelled = [json.dumps(label) if isinstance(label, bool) else str(label) for label in labels]
    for name in ("train", "dev"):
        rows = [f"the {name} film {row},{spelled[row % 2]}" for row in range(16)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["text,label", *rows]) + "\n")
    listed = json.dumps([f"{label}" if isinstance(label, int) and label > 2**63 else label for label in labels])
    (tmp_path / "recipe.toml").write_text(
        f'encoder = "{tiny_encoder}"\nthreads = 1\n[tasks.t]\nkind = "classification"\ntrain = "train.csv"\n'
        f'dev = "dev.csv"\ntext = "text"\nlabel = "label"\nlabels = {listed}\n[training]\nepochs = 1\nmax_steps = 1\n'
    )
    run = manyheads.train(tmp_path / "recipe.toml", tmp_path / "run")
    output = tmp_path / "out.parquet"
    done = predict(run, "--input", tmp_path / "dev.csv", "--format", "parquet", "--output", output, task="t")
    assert done.exit_code == 0, done.output
    found = pl.read_parquet(output)
    assert found["prediction"].dtype == kind
    assert set(found["prediction"]) <= set(labels) or {*found["prediction"]} <= {str(label) for label in labels}


def test_text_without_quoting_is_written_without_quoting(trained: manyheads.Run, tmp_path: Path) -> None:
    file, output = tmp_path / "in.tsv", tmp_path / "out.tsv"
    file.write_text('n\tsentence\n1\t"a" said b\n2\tthe "end\n')
    done = predict(trained, "--input", file, "--quoting", "none", "--output", output)
    assert done.exit_code == 0, done.stderr
    found = read_again(output, TextFormat(quoting="none"))
    assert [row["sentence"] for row in found] == ['"a" said b', 'the "end']
    broken = predict(trained, "--input", file)
    assert broken.exit_code == 3
    assert "--quoting" in broken.stderr


def test_the_options_describe_the_input(trained: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes("n:sentence\n1:caf\xe9\n".encode("cp1252"))
    done = predict(trained, "--input", file, "--delimiter", ":", "--encoding", "cp1252", "--decimal", ",")
    assert done.exit_code == 0, done.stderr
    (row,) = csv.DictReader(io.StringIO(done.stdout), delimiter=":")
    assert row["sentence"] == "caf\xe9"
    assert "," in row["p_0"]
    assert "." not in row["p_0"]


def test_formulas_are_escaped_only_if_asked(trained: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_text('sentence,=x,n\n=1+1,@a,-5\n"+b",-c,1e-5\n')
    plain = list(csv.reader(io.StringIO(predict(trained, "--input", file).stdout)))
    assert [row[:3] for row in plain] == [["sentence", "=x", "n"], ["=1+1", "@a", "-5"], ["+b", "-c", "1e-5"]]
    escaped = list(csv.reader(io.StringIO(predict(trained, "--input", file, "--escape-formulas").stdout)))
    assert [row[:3] for row in escaped] == [["sentence", "'=x", "n"], ["'=1+1", "'@a", "-5"], ["'+b", "'-c", "1e-5"]]
    assert [row[3:] for row in escaped] == [row[3:] for row in plain]
    refused = predict(trained, "--input", file, "--escape-formulas", "--format", "jsonl")
    assert refused.exit_code == 1
    assert "--escape-formulas" in str(refused.exception)


def test_a_file_without_rows_gives_a_header(trained: manyheads.Run, tmp_path: Path) -> None:
    file, output = tmp_path / "in.csv", tmp_path / "out.parquet"
    file.write_text("n,sentence\n")
    assert predict(trained, "--input", file).stdout.startswith("n,sentence,prediction,")
    assert predict(trained, "--input", file, "--format", "parquet", "--output", output).exit_code == 0
    assert pl.read_parquet(output).columns[:3] == ["n", "sentence", "prediction"]


def test_several_files_keep_the_cells_of_each(trained: manyheads.Run, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("sentence,x\nfilm,1\n")
    (tmp_path / "b.csv").write_text("y,sentence\n2,lamp\n3\n")
    done = predict(trained, "--input", tmp_path / "*.csv")
    assert done.exit_code == 3
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [(row["sentence"], row["x"], row["y"]) for row in rows] == [
        ("film", "1", ""),
        ("lamp", "", "2"),
        ("", "", ""),
    ]
    assert rows[2]["input"] == "3"
    assert f"{tmp_path / 'b.csv'}:3: 1 field" in done.stderr
