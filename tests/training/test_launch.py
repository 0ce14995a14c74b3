"""What the environment says about the processes of a run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.errors import TrainingError
from manyheads.training.launch import Launch

ADDRESS = {"MASTER_ADDR": "localhost", "MASTER_PORT": "29500"}


def test_no_launcher_and_a_single_process() -> None:
    assert Launch.read({}) == Launch()
    assert Launch.read({"RANK": "0", "WORLD_SIZE": "1", "LOCAL_RANK": "0", "LOCAL_WORLD_SIZE": "1"}) == Launch()


def test_several_processes() -> None:
    names = {"RANK": "3", "WORLD_SIZE": "4", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "2"}
    assert Launch.read({**names, **ADDRESS}) == Launch(3, 4, 1, 2)


@pytest.mark.parametrize("rank", ["0", "3"])
def test_a_rank_alone_is_one_process_with_a_note(rank: str) -> None:
    launch = Launch.read({"RANK": rank})
    assert (launch.rank, launch.size) == (0, 1)
    assert f"RANK is {rank} and WORLD_SIZE is not set" in str(launch.note)


@pytest.mark.parametrize(
    ("environment", "rule"),
    [
        ({"RANK": "2", "WORLD_SIZE": "2", **ADDRESS}, "RANK is from 0"),
        ({"RANK": "1", "WORLD_SIZE": "1"}, "RANK is from 0"),
        ({"RANK": "0", "WORLD_SIZE": "0"}, "at least 1"),
        ({"WORLD_SIZE": "2", **ADDRESS}, "need RANK"),
        ({"RANK": "0", "WORLD_SIZE": "2"}, "need MASTER_ADDR, MASTER_PORT"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "4", **ADDRESS}, "LOCAL_WORLD_SIZE is from 1"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "1", "LOCAL_WORLD_SIZE": "1", **ADDRESS}, "LOCAL_RANK is from"),
        ({"RANK": "0", "WORLD_SIZE": "2", "LOCAL_RANK": "2", **ADDRESS}, "LOCAL_RANK is less"),
        ({"RANK": "one", "WORLD_SIZE": "2", **ADDRESS}, "0, 1, 2"),
        ({"RANK": "-1", "WORLD_SIZE": "2", **ADDRESS}, "0, 1, 2"),
    ],
)
def test_contradictory_values_are_refused(environment: dict[str, str], rule: str) -> None:
    with pytest.raises(TrainingError) as caught:
        Launch.read(environment)
    assert rule in str(caught.value.allowed)


@pytest.mark.usefixtures("forked_commands")
def test_the_command_line_says_so(tiny_recipe: Path, tmp_path: Path) -> None:
    words = [sys.executable, "-m", "manyheads", "train", str(tiny_recipe), "--set", "training.max_steps=1", "--out"]
    outputs = []
    for name, environment in (("note", {"RANK": "3"}), ("refused", {"RANK": "3", "WORLD_SIZE": "2"})):
        env = {**os.environ, "OMP_NUM_THREADS": "1", **environment}
        done = subprocess.run([*words, str(tmp_path / name)], env=env, capture_output=True, text=True, check=False)
        outputs.append((done.returncode, done.stdout + done.stderr))
    assert outputs[0][0] == 0, outputs[0][1]
    assert "this run has one process" in outputs[0][1]
    assert outputs[1][0] == 1
    assert "does not describe the processes" in outputs[1][1]
    assert "Traceback" not in outputs[1][1]
