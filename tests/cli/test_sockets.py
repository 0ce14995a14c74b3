"""No command but those that serve or reach a hub, a tracker or a cluster makes a socket of the internet."""

from __future__ import annotations

import json
import os
import platform
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from tests.cli import sockets

import manyheads
import manyheads.demo
from manyheads.cli.main import COMMANDS

CORPUS = Path(manyheads.demo.__file__).parent / "corpus"

APART = {"serve", "demo"}
"""`serve` listens. `demo` is `train` with the recipe of the package, and is run here only to write its files."""


def under_filter(commands: object, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(Path(sockets.__file__))],
        input=json.dumps(commands),
        capture_output=True,
        text=True,
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        check=False,
        timeout=540,
    )


@pytest.mark.usefixtures("forked_commands")
def test_no_command_makes_a_socket_of_the_internet(trained: manyheads.Run, tiny_recipe: Path, tmp_path: Path) -> None:
    if platform.machine() not in sockets.CALLS:
        pytest.skip("the number of the system call is unknown on this architecture")
    probe = under_filter("probe", tmp_path)
    if probe.returncode == sockets.UNSUPPORTED:
        pytest.skip("the kernel has no seccomp filters here")
    assert probe.returncode == -signal.SIGSYS
    run, texts = str(trained.folder.path), tmp_path / "texts.txt"
    texts.write_text("A fine film.\n")
    study = tmp_path / "study.toml"
    study.write_text(f'base = "{tiny_recipe}"\nseeds = [1]\n\n[rows.base]\ntraining.max_steps = 1\n')
    few = ["--set", "training.max_steps=1"]
    pretraining = ["--set", "pretraining.epochs=1", "--set", "pretraining.head_epochs=1"]
    predict = ["predict", run, "--task", "sentiment", "--input", str(texts)]
    commands = [
        ["schema", "recipe"],
        ["demo", "--files", "files"],
        ["init", str(CORPUS / "sentiment-train.tsv"), "--output", "first.toml"],
        ["check", str(tiny_recipe), *few],
        ["pretrain", str(tiny_recipe), *pretraining],
        ["train", str(tiny_recipe), *few, "--out", "run"],
        ["evaluate", run, "--json"],
        predict,
        ["report", run, "--out", "report"],
        ["compare", run, "run"],
        ["export", run, "--to", "onnx", "--int8", "--no-check", "--out", "onnx"],
        ["predict", "onnx", "--runtime", "onnx", "--task", "sentiment", "--input", str(texts)],
        ["export", run, "--to", "hub", "--no-check", "--out", "hub"],
        ["power", str(study)],
        ["study", str(study), "--out", "study"],
        ["table", str(study), "--out", "study"],
    ]
    assert {command[0] for command in commands} | APART == {command.__name__ for command in COMMANDS} | APART
    done = under_filter(commands, tmp_path)
    assert done.returncode == 0, f"{done.returncode}\n{done.stdout[-500:]}\n{done.stderr[-3000:]}"
    assert done.stdout.count("\ndone ") + done.stdout.startswith("done ") == len(commands)
