"""A sample of each part of `make torture`, and faults that it must find."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.torture.fork import Done
from tests.torture.ledger import ERROR, HANG, SAME, TRACEBACK, WRONG, Ledger, Trial, verdict
from tests.torture.outcome import crash, judge


def done(status: int | None, err: str = "") -> Done:
    return Done(("report", "run"), status, b"", err.encode(), 1.0)


def test_the_end_of_a_command_has_one_outcome() -> None:
    same, other = {"a": 1}, {"a": 2}
    assert judge(done(0), same, same).counts == {SAME: 1}
    assert judge(done(0), other, same).counts == {WRONG: 1}
    assert judge(done(0), {}, same).counts == {WRONG: 1}
    assert judge(done(1, "error: the file is empty\n"), other, same).counts == {ERROR: 1}
    assert judge(done(1, "the file is empty\n"), other, same).counts == {TRACEBACK: 1}
    assert judge(done(0, "Traceback (most recent call last):\n"), same, same).counts == {TRACEBACK: 1}
    assert judge(done(-11), same, same).counts == {TRACEBACK: 1}
    assert judge(done(None), same, same).counts == {HANG: 1}
    assert crash(done(1, "error: no\nthread 'x' panicked at src/lib.rs\n")) is not None


def test_a_ledger_that_was_cut_off_is_continued(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "ledger.jsonl")
    ledger.add(Trial("a", "kill: train"), verdict(SAME), 1.0)
    with ledger.path.open("a") as file:
        file.write('{"id": "b", "gro')
    ledger.add(Trial("c", "kill: train"), verdict(WRONG), 1.0)
    assert set(ledger.last()) == {"a", "c"}
    assert ledger.totals() == {"kill: train": {SAME: 1, WRONG: 1}}


@pytest.mark.usefixtures("forked_commands")
def test_a_sample_of_each_part_finds_planted_faults_and_no_others(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.torture", "--short", "--jobs", "1", "--work", tmp_path, "--out", tmp_path]
    environment = {name: value for name, value in os.environ.items() if name != "MANYHEADS_CACHE"}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=280, check=False)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "planted faults found: 3 of 3" in ended.stdout
    counts = json.loads((tmp_path / "counts.json").read_text())
    for part in ("kill: ", "full disk: ", "damage: ", "generated recipes", "generated data files", "requests"):
        assert sum(each["tried"] for name, each in counts.items() if name.startswith(part)) > 0, part
