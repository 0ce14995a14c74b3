"""A study that is killed several times, with one job or two, gives the same rows as an uninterrupted one."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("forked_commands")

SECONDS = 240


def command(study: Path, out: Path, jobs: int) -> list[str]:
    return [sys.executable, "-m", "manyheads", "study", str(study), "--out", str(out), "--jobs", str(jobs)]


def rows(out: Path) -> bytes:
    """Return the rows of table.json as bytes."""
    return json.dumps(json.loads((out / "table.json").read_text())["rows"]).encode()


@pytest.mark.timeout(600)
def test_five_kills_and_one_job_or_two_give_the_same_rows(tiny_study: Path, tmp_path: Path) -> None:
    text = tiny_study.read_text().replace("max_steps = 4", "max_steps = 12")
    tiny_study.write_text(text)
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    done = subprocess.run(command(tiny_study, whole, 2), capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    moments = random.Random(0)
    finished_before: set[Path] = set()
    for kill in range(5):
        child = subprocess.Popen(
            command(tiny_study, killed, 1 + kill % 2), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        # Wait until a run starts, which takes long on slow machines, so that most kills interrupt training.
        begun = len(list(killed.glob("*/*/events.jsonl")))
        deadline = time.monotonic() + SECONDS
        while len(list(killed.glob("*/*/events.jsonl"))) == begun and child.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        time.sleep(moments.uniform(0.0, 3.0))
        child.kill()  # on a fast machine it may have ended already
        child.wait()
        finished = {path: path.read_bytes() for path in killed.glob("*/*/results.json")}
        assert finished_before <= set(finished)
        finished_before = set(finished)
    times = {path: path.stat().st_mtime_ns for path in killed.glob("*/*/results.json")}
    done = subprocess.run(command(tiny_study, killed, 1), capture_output=True, text=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stderr
    assert rows(killed) == rows(whole)
    assert all(path.stat().st_mtime_ns == before for path, before in times.items()), "a finished run was repeated"
