"""Output and files that cannot be written: a full disk, a limit of the file size, a pipe whose reader has ended."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import manyheads
from manyheads.errors import RunError
from manyheads.recipe.assemble import train
from manyheads.recipe.load import load_recipe
from manyheads.run.atomic import replace_folder, replacing

CHANGES = ["training.max_steps=4", "training.evaluate_every=1"]
CHANGES += [f"tasks.{task}.train_rows=40" for task in ("sentiment", "paraphrase", "similarity")]
CHANGES += [f"tasks.{task}.dev_rows=20" for task in ("sentiment", "paraphrase", "similarity")]


def start(*words: object, stdout: int | None = subprocess.PIPE, file_size: int | None = None) -> subprocess.Popen[str]:
    """Start the command line, with a limit on the size of the files that it writes.

    Tests of an output that ends use new interpreters, because the end of an interpreter writes what is left.
    """

    def limit() -> None:
        if file_size is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (file_size, file_size))

    return subprocess.Popen(
        [sys.executable, "-m", "manyheads", *map(str, words)],
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        preexec_fn=limit,  # noqa: PLW1509
    )


def train_words(recipe: Path, out: Path) -> list[object]:
    return ["train", recipe, "--out", out, *(word for change in CHANGES for word in ("--set", change))]


def is_clear(errors: str) -> None:
    assert "Traceback" not in errors, errors
    assert "Exception ignored" not in errors, errors
    assert ".partial" not in errors, errors
    assert errors.startswith("error: "), errors


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_run_whose_output_is_full_keeps_a_checkpoint(tiny_recipe: Path, tmp_path: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = start(*train_words(tiny_recipe, tmp_path / "run"), stdout=full.fileno())
        _, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    is_clear(errors)
    assert "the output cannot be written" in errors
    assert "--resume" in errors
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))
    assert train(load_recipe(tiny_recipe, CHANGES), tmp_path / "run", resume=True).results["steps"] == 4


def test_a_run_whose_reader_has_ended_keeps_a_checkpoint(tiny_recipe: Path, tmp_path: Path) -> None:
    process = start(*train_words(tiny_recipe, tmp_path / "run"))
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    is_clear(errors)
    assert "Broken pipe" in errors
    assert list((tmp_path / "run" / "checkpoints").glob("step-*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no /dev/full")
def test_a_command_whose_output_is_full_says_so() -> None:
    with Path("/dev/full").open("w") as full:
        process = start("--version", stdout=full.fileno())
        _, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    is_clear(errors)


@pytest.mark.usefixtures("forked_commands")
@pytest.mark.parametrize(
    ("size", "words"),
    [
        (100_000, ["export", "RUN", "--to", "hub", "--out", "OUT", "--no-check"]),
        (100_000, ["export", "RUN", "--to", "onnx", "--out", "OUT", "--no-check"]),
        (100_000, ["export", "RUN", "--to", "torch-export", "--out", "OUT", "--no-check"]),
        (2_000, ["report", "RUN", "--out", "OUT"]),
        (2_000, ["predict", "RUN", "--task", "sentiment", "--input", "INPUT", "--output", "OUT.parquet"]),
        (2_000, ["predict", "RUN", "--task", "sentiment", "--input", "INPUT", "--output", "OUT.csv"]),
    ],
    ids=["hub", "onnx", "torch-export", "report", "parquet", "csv"],
)
def test_a_limit_of_the_file_size_is_a_clear_error(
    trained: manyheads.Run, tmp_path: Path, size: int, words: list[str]
) -> None:
    (tmp_path / "input.csv").write_text("sentence\n" + "a film of many words\n" * 300)
    names = {"RUN": str(trained.folder.path), "INPUT": str(tmp_path / "input.csv"), "OUT": str(tmp_path / "out")}
    process = start(*(names.get(word, word.replace("OUT", names["OUT"])) for word in words), file_size=size)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    is_clear(errors)
    assert "the file is larger than the system allows" in errors
    assert [path.name for path in tmp_path.iterdir()] == ["input.csv"]


@pytest.mark.usefixtures("forked_commands")
def test_a_limit_of_the_file_size_keeps_the_last_checkpoint(tiny_recipe: Path, tmp_path: Path) -> None:
    process = start(*train_words(tiny_recipe, tmp_path / "run"), file_size=200_000)
    _, errors = process.communicate(timeout=240)
    assert process.returncode == 1
    is_clear(errors)
    assert not list((tmp_path / "run").rglob("*.partial"))
    assert train(load_recipe(tiny_recipe, CHANGES), tmp_path / "run", resume=True).results["steps"] == 4


class RustError(Exception):
    """An error of a library written in Rust."""


@pytest.mark.parametrize("write", ["file", "folder"])
@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("Error while serializing: I/O error: No space left on device (os error 28)", "the disk is full"),
        ("Error while serializing: I/O error: File too large (os error 27)", "larger than the system allows"),
    ],
)
def test_errors_of_other_libraries_are_explained(tmp_path: Path, write: str, text: str, match: str) -> None:
    def fail(_: Path) -> None:
        raise RustError(text)

    def run() -> None:
        if write == "folder":
            replace_folder(tmp_path / "out", fail)
        else:
            with replacing(tmp_path / "out") as temporary:
                fail(temporary)

    call: Callable[[], None] = run
    with pytest.raises(RunError, match=match):
        call()
