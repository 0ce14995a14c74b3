"""Standard input of `predict`: its format and its header are found from its content."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import manyheads
from manyheads.cli.main import app


def predict(run: manyheads.Run, text: bytes, *options: object, task: str = "sentiment") -> Result:
    result: Result = CliRunner().invoke(
        app, ["predict", str(run.folder.path), "--task", task, *map(str, options)], input=text
    )
    return result


@pytest.mark.parametrize(
    "lines",
    [
        ["The sentence was long.", "It was fine."],
        ["a sentence", "another"],
        ["my sentence, he said", "It was fine."],
        ["sentences"],
        ["[sentence] fine", "good"],
        ["{laughs} a sentence", "good"],
        ['She said "sentence', "good"],
        ["sentence, and more", "one field", "two fields, here", "no", "no"],
    ],
)
def test_lines_that_contain_the_column_name_are_lines(trained: manyheads.Run, lines: list[str]) -> None:
    done = predict(trained, "".join(f"{line}\n" for line in lines).encode())
    assert done.exit_code == 0, done.output
    assert len(done.stdout.splitlines()) == len(lines)


@pytest.mark.parametrize(
    "text",
    [
        "sentence\nfine\n",
        '"sentence"\nfine\n',
        "n,sentence\n1,fine\n",
        "n\tsentence\n1\tfine\n",
        "sentence;n\nfine;1\n",
        "n, sentence\n1, fine\n",
        "n|sentence\n1|fine\n2|good|bad\n3|x\n",
    ],
)
def test_a_header_is_found(trained: manyheads.Run, text: str) -> None:
    done = predict(trained, text.encode())
    assert done.stdout, done.output + repr(done.exception)
    assert "prediction" in done.stdout.splitlines()[0]
    assert "fine" in done.stdout.splitlines()[1]


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_the_text(trained: manyheads.Run, mark: str) -> None:
    for text in ("n,sentence\n1,fine\n", '{"n": 1, "sentence": "fine"}\n', '[{"n": 1, "sentence": "fine"}]'):
        done = predict(trained, text.encode(mark), "--format", "jsonl")
        assert done.exit_code == 0, done.output
        assert str(json.loads(done.stdout)["n"]) == "1"
    lines = predict(trained, "fine\ngood\n".encode(mark))
    assert lines.stdout == predict(trained, b"fine\ngood\n").stdout
    assert codecs.lookup(mark)


def test_compressed_input_is_read(trained: manyheads.Run) -> None:
    for text in (b"n,sentence\n1,fine\n", b'{"n": 1, "sentence": "fine"}\n', b"fine\n"):
        assert predict(trained, gzip.compress(text)).stdout == predict(trained, text).stdout


def test_options_describe_standard_input(trained: manyheads.Run) -> None:
    done = predict(trained, b"n:sentence\n1:caf\xe9\n", "--delimiter", ":", "--encoding", "latin-1")
    (row,) = csv.DictReader(io.StringIO(done.stdout), delimiter=":")
    assert row["sentence"] == "caf\xe9"


@pytest.mark.parametrize(
    ("text", "options"),
    [
        (b"", ()),
        (b"a,b\n1,2\n", ("--input-format", "csv")),
        (b'[{"sentence": "a"}, x]', ()),
        (b"PAR1 no", ()),
        (b"n,sentence\n1\n\xff\n", ()),
        (b'n,sentence\n1,"a\n2,b"\n', ()),
    ],
)
def test_messages_name_standard_input(trained: manyheads.Run, text: bytes, options: tuple[str, ...]) -> None:
    done = predict(trained, text, *options)
    shown = done.stderr + str(done.exception)
    assert "standard input" in shown
    assert "/tmp" not in shown
    assert "manyheads-" not in shown


def run_shell(run: manyheads.Run, command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    lines = folder / "lines.txt"
    lines.write_text("A fine film.\n" * 3000)
    words = f'"{sys.executable}" -m manyheads {command}'.replace("RUN", str(run.folder.path))
    return subprocess.run(
        ["bash", "-o", "pipefail", "-c", words.replace("LINES", str(lines))],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        timeout=240,
    )


@pytest.mark.usefixtures("forked_commands")
@pytest.mark.parametrize(
    "command",
    [
        "predict RUN --task sentiment --input LINES --format csv > /dev/full",
        "evaluate RUN --task sentiment --json > /dev/full",
        "report RUN --format md > /dev/full",
    ],
)
def test_a_full_device_is_an_error(trained: manyheads.Run, tmp_path: Path, command: str) -> None:
    done = run_shell(trained, command, tmp_path)
    assert done.returncode == 1
    assert "the output cannot be written" in done.stderr
    assert "No space left" in done.stderr
    assert "Traceback" not in done.stderr
    assert "ignored" not in done.stderr


@pytest.mark.usefixtures("forked_commands")
def test_a_closed_pipe_is_named(trained: manyheads.Run, tmp_path: Path) -> None:
    done = run_shell(trained, "predict RUN --task sentiment --input LINES --format csv | head -n 1", tmp_path)
    assert done.returncode == 0
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr.strip() == "standard output was closed, so the rest of the output was not written"


def test_a_device_is_written_and_not_replaced(trained: manyheads.Run, tmp_path: Path) -> None:
    (tmp_path / "lines.txt").write_text("A fine film.\n")
    os.mkfifo(tmp_path / "pipe")
    link = tmp_path / "link.csv"
    link.symlink_to(tmp_path / "real.csv")
    (tmp_path / "real.csv").write_text("old")
    assert predict(trained, b"a film\n", "--format", "csv", "--output", link).exit_code == 0
    assert link.is_symlink()
    assert (tmp_path / "real.csv").read_text().startswith("sentence,prediction")
    with subprocess.Popen(["cat", str(tmp_path / "pipe")], stdout=subprocess.PIPE, text=True) as reader:
        assert predict(trained, b"a film\n", "--format", "csv", "--output", tmp_path / "pipe").exit_code == 0
        assert reader.stdout is not None
        assert reader.stdout.read().startswith("sentence,prediction")
