"""The command `manyheads demo`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli.program import manyheads_

pytestmark = pytest.mark.usefixtures("forked_commands")

REAL_PYTHON = sys.executable
"""The interpreter itself, for tests of what an import loads."""


def test_files_are_written_with_the_next_command(tmp_path: Path) -> None:
    folder = tmp_path / "my data"
    done = manyheads_("demo", "--files", folder)
    assert done.returncode == 0, done.stderr
    for name in ("reviews", "questions", "sentences"):
        assert f"{folder / name}.csv: 800 rows" in done.stdout
        assert f"{folder / name}-dev.csv: 250 rows" in done.stdout
    command = shlex.split(done.stdout.splitlines()[-1])
    assert command[:2] == ["manyheads", "init"]
    following = manyheads_(*command[1:])
    assert following.returncode == 0, following.stderr
    assert 'train = "reviews.csv"' in (folder / "first.toml").read_text()


def test_writing_files_does_not_import_torch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "from manyheads.cli.main import main\n"
        f"try: main(['demo', '--files', {str(tmp_path / 'data')!r}])\n"
        "except SystemExit as done: print(done.code, 'torch' in sys.modules, 'transformers' in sys.modules)\n"
    )
    done = subprocess.run([REAL_PYTHON, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 False False"


def test_a_file_with_other_content_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "reviews.csv").write_text("mine\n")
    done = manyheads_("demo", "--files", tmp_path)
    assert done.returncode == 1
    assert str(tmp_path / "reviews.csv") in done.stderr
    assert "already exists" in done.stderr
    assert (tmp_path / "reviews.csv").read_text() == "mine\n"


def test_files_with_options_of_training_is_a_usage_error(tmp_path: Path) -> None:
    for words in (["--resume"], ["--out", tmp_path / "run"], ["--set", "training.epochs=1"]):
        done = manyheads_("demo", "--files", tmp_path / "data", *words)
        assert done.returncode == 2
        assert "--files does not train" in done.stderr
    assert not (tmp_path / "data").exists()
