"""Shell completion, as a shell asks for it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest


def _run(*words: str, **environment: str) -> str:
    """Run the program as the shells call it, by its name."""
    program = "from manyheads.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, **environment},
        timeout=60,
    )
    return done.stdout


@pytest.mark.parametrize(
    ("line", "suggested"),
    [
        ("manyheads sch", {"schema"}),
        ("manyheads schema ", {"recipe", "study"}),
        ("manyheads pow", {"power"}),
        ("manyheads power --p", {"--pilot", "--plugin"}),
        ("manyheads predict --format p", {"parquet"}),
        ("manyheads init --enc", {"--encoder", "--encoding"}),
    ],
)
def test_commands_options_and_values_are_completed(line: str, suggested: set[str]) -> None:
    words = line.split(" ")
    environment = {"COMP_WORDS": "\n".join(words), "COMP_CWORD": str(len(words) - 1)}
    assert set(_run(_MANYHEADS_COMPLETE="complete_bash", **environment).split()) == suggested


def test_completion_can_be_shown_and_installed(tmp_path: Path) -> None:
    environment = {"_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1", "HOME": str(tmp_path)}
    assert "complete -o default -F _manyheads_completion manyheads" in _run("--show-completion", "bash", **environment)
    _run("--install-completion", "bash", **environment)
    assert "manyheads" in (tmp_path / ".bashrc").read_text()
