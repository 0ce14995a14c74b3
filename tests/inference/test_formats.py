"""Input and output formats of `predict`: rows keep their order and columns, and failed rows are named."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

import manyheads
from manyheads.cli.main import app

ROOT = Path(__file__).parents[2]
TEXTS = ["A fine film.", "The soup, cold; was\tdull.", 'She said "no" twice.', "Two\nlines."]


def predict(run: manyheads.Run, *options: object, text: bytes = b"", task: str = "sentiment") -> Result:
    result: Result = CliRunner().invoke(
        app, ["predict", str(run.folder.path), "--task", task, *map(str, options)], input=text
    )
    return result


@pytest.fixture(scope="module")
def expected(trained: manyheads.Run) -> list[int]:
    return [int(each.prediction) for each in manyheads.load(trained).predict("sentiment", TEXTS)]


@pytest.mark.parametrize(("ending", "delimiter"), [("csv", ","), ("tsv", "\t"), ("csv", ";")])
def test_a_table_keeps_its_columns(
    trained: manyheads.Run, expected: list[int], tmp_path: Path, ending: str, delimiter: str
) -> None:
    file, output = tmp_path / f"in.{ending}", tmp_path / f"out.{ending}"
    with file.open("w", newline="", encoding="utf-8-sig") as handle:
        writer = csv.writer(handle, delimiter=delimiter)
        writer.writerow(["key", "sentence", "prediction"])
        writer.writerows([[number, text, "old"] for number, text in enumerate(TEXTS)])
    done = predict(trained, "--input", file, "--output", output)
    assert done.exit_code == 0, done.stderr
    message = "the input has a column prediction, so the added column is named prediction_"
    assert message in done.stderr.splitlines()
    with output.open(newline="", encoding="utf-8") as handle:
        rows = list(csv.DictReader(handle, delimiter=delimiter))
    columns = ["key", "sentence", "prediction", "prediction_", "p_0", "p_1", "p_2", "p_3", "p_4", "error"]
    assert list(rows[0]) == columns
    assert [row["sentence"] for row in rows] == TEXTS
    assert [int(row["prediction_"]) for row in rows] == expected
    assert [row["prediction"] for row in rows] == ["old"] * 4
    for row in rows:
        probabilities = [float(row[f"p_{label}"]) for label in range(5)]
        assert sum(probabilities) == pytest.approx(1.0, abs=1e-5)
        assert probabilities.index(max(probabilities)) == int(row["prediction_"])


def test_a_row_without_a_prediction_keeps_its_place(trained: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "in.csv"
    file.write_bytes(b"id,sentence\n1,fine\n2, \n3,\xff\xfe\n4,a,b\n5,good\n")
    done = predict(trained, "--input", file)
    assert done.exit_code == 3
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["id"] for row in rows] == ["1", "2", "", "4", "5"]
    assert [row["field_3"] for row in rows] == ["", "", "", "b", ""]
    assert rows[2]["input"] == "3,\ufffd\ufffd"
    assert [bool(row["error"]) for row in rows] == [False, True, True, True, False]
    assert [bool(row["prediction"]) for row in rows] == [True, False, False, False, True]
    for line in (3, 4, 5):
        assert f"in.csv:{line}: " in done.stderr
    assert "rows without a prediction: 3 of 5" in done.stderr


def test_json_lines_keep_their_keys(trained: manyheads.Run, expected: list[int]) -> None:
    lines = [json.dumps({"sentence": text, "meta": {"n": [number]}}) for number, text in enumerate(TEXTS)]
    text = "\n".join([*lines, "{broken", '{"meta": 1}']).encode()
    done = predict(trained, text=text)
    assert done.exit_code == 3
    found = [json.loads(line) for line in done.stdout.splitlines()]
    assert [each.get("prediction") for each in found] == [*expected, None, None]
    assert [each["meta"] for each in found[:4]] == [{"n": [number]} for number in range(4)]
    assert found[4]["line"] == 5
    assert found[5] == {"meta": 1, "line": 6, "error": "text 'sentence' is missing"}


def test_parquet_keeps_its_types(trained: manyheads.Run, expected: list[int], tmp_path: Path) -> None:
    file, output = tmp_path / "in.parquet", tmp_path / "out.parquet"
    days = pl.date_range(pl.date(2020, 1, 1), pl.date(2020, 1, 4), eager=True)
    frame = pl.DataFrame({"sentence": TEXTS, "n": [1, None, 3, 4], "day": days})
    frame.write_parquet(file)
    done = predict(trained, "--input", file, "--output", output)
    assert done.exit_code == 0, done.stderr
    found = pl.read_parquet(output)
    assert found.select(frame.columns).equals(frame)
    assert found["prediction"].to_list() == expected
    assert found["p_0"].dtype == pl.Float64
    piped = predict(trained, text=file.read_bytes())
    assert pl.read_parquet(io.BytesIO(piped.stdout_bytes)).equals(found)


def test_plain_lines_give_lines(trained: manyheads.Run, expected: list[int]) -> None:
    done = predict(trained, text=f"{TEXTS[0]}\n\n{TEXTS[2]}\n".encode())
    assert done.exit_code == 3
    assert done.stdout == f"{expected[0]}\n\n{expected[2]}\n"
    assert "standard input:2: an empty line" in done.stderr
    pairs = predict(trained, text=b"a dog\ta cat\n", task="similarity")
    assert 0 <= float(pairs.stdout) <= 5


def test_the_formats_can_be_chosen(trained: manyheads.Run, expected: list[int], tmp_path: Path) -> None:
    file = tmp_path / "in.data"
    file.write_text("sentence\nA fine film.\n")
    chosen = predict(trained, "--input", file, "--input-format", "csv", "--format", "jsonl")
    assert json.loads(chosen.stdout)["prediction"] == expected[0]
    lines = predict(trained, "--input", file, "--input-format", "lines", "--format", "tsv")
    assert len(lines.stdout.splitlines()) == 3
    parquet = predict(trained, "--input", file, "--input-format", "csv", "--format", "parquet")
    assert pl.read_parquet(io.BytesIO(parquet.stdout_bytes))["prediction"].to_list() == [expected[0]]
    assert "no such file" in str(predict(trained, "--input", tmp_path / "x", "--input-format", "csv").exception)


WATCH = """
import sys
from benchmarks.corpus import Peak
from manyheads.cli.main import app
peak = Peak()
peak.start()
try:
    app(sys.argv[1:], standalone_mode=False)
finally:
    peak.stop()
    print(peak.peak_mb, file=sys.stderr)
"""


@pytest.mark.usefixtures("forked_commands")
def test_memory_does_not_grow_with_the_file(trained: manyheads.Run, tmp_path: Path) -> None:
    peaks = []
    for lines in (10_000, 40_000):
        file, output = tmp_path / f"{lines}.csv", tmp_path / "out.csv"
        with file.open("w") as handle:
            handle.write("sentence\n")
            handle.writelines(f"film number {number}\n" for number in range(lines))
        command = ["predict", trained.folder.path, "--task", "sentiment", "--input", file, "--output", output]
        done = subprocess.run(
            [sys.executable, "-c", WATCH, *map(str, command)], cwd=ROOT, capture_output=True, text=True, check=True
        )
        with output.open() as handle:
            assert sum(1 for _ in handle) == lines + 1
        peaks.append(float(done.stderr.split()[-1]))
    assert peaks[1] <= 1.1 * peaks[0]


def test_names_of_classes_in_lists_are_written_to_parquet(trained: manyheads.Run, tmp_path: Path) -> None:
    features = {"tags": {"feature": {"names": ["O", "B-x"], "_type": "ClassLabel"}, "_type": "Sequence"}}
    metadata = {"huggingface": json.dumps({"info": {"features": features}})}
    frame = pl.DataFrame({"sentence": TEXTS[:3], "tags": [[0, 1], [], None]})
    frame.write_parquet(tmp_path / "in.parquet", metadata=metadata)
    done = predict(trained, "--input", tmp_path / "in.parquet", "--output", tmp_path / "out.parquet")
    assert done.exit_code == 0, done.stderr
    assert pl.read_parquet(tmp_path / "out.parquet")["tags"].to_list() == [["O", "B-x"], [], None]
