"""What starting costs: `python -m benchmarks.startup` prints the time of `manyheads --help`, and that of a training run
to its first step with everything read and tokenised before, beside the import of torch and BertModel alone.

Each is a process of its own, timed from outside from its start: the programs take turns, and medians are given. The
run is one of `recipes/minilm/cross.toml`; its first step begins when the loop asks for its first batch.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MANYHEADS_DATA", ROOT.parent / "shared" / "data"))
RECIPE = ROOT / "recipes" / "minilm" / "cross.toml"

TO_FIRST_STEP = """
import os, sys
from manyheads.training.loop import Loop
def leave(*_):
    print("first step", flush=True)
    os._exit(0)
Loop._step = leave
from manyheads.cli.main import main
main(sys.argv[1:])
"""
"""`manyheads` with its arguments, up to the first step."""

IMPORTS = "import torch; from transformers import BertModel"


def programs(data: Path) -> dict[str, list[str]]:
    """What is timed, by name; `train` is given its run folder later."""
    train = ["train", str(RECIPE), "--set", f"data_dir={data}"]
    return {
        "help": ["-m", "manyheads", "--help"],
        "imports": ["-c", IMPORTS],
        "train": ["-c", TO_FIRST_STEP, *train],
    }


def seconds_of(name: str, words: Sequence[str], environment: Mapping[str, str]) -> float:
    """The wall time of one process; a run must have come to its first step."""
    with tempfile.TemporaryDirectory() as folder:
        out = ["--out", str(Path(folder) / "run")] if name == "train" else []
        command = [sys.executable, *words, *out]
        started = time.perf_counter()
        done = subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, check=False)
        seconds = time.perf_counter() - started
    if done.returncode or (name == "train" and "first step" not in done.stdout):
        raise SystemExit(f"{name} failed:\n{done.stdout}{done.stderr}")
    return seconds


def measure(rounds: int, data: Path) -> list[dict[str, Any]]:
    """Rows of the table; a round before the first fills the caches and is not counted."""
    taken: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "MANYHEADS_CACHE": cache}
        for turn in range(rounds + 1):
            for name, words in programs(data).items():
                seconds = seconds_of(name, words, environment)
                if turn:
                    taken.setdefault(name, []).append(seconds)
    medians = {name: statistics.median(each) for name, each in taken.items()}
    return [
        {"what": "manyheads --help", "seconds": round(medians["help"], 3)},
        {"what": "import torch and BertModel", "seconds": round(medians["imports"], 3)},
        {"what": "manyheads train, to the first step", "seconds": round(medians["train"], 3)},
        {"what": "over the imports", "seconds": round(medians["train"] - medians["imports"], 3)},
    ]


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--keep", action="store_true", help="write measured/startup.json")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds, arguments.data)
    # The record needs torch, which the measured processes are not to find warmer than a user does.
    from benchmarks.record import save, table

    print(table(rows, ("what", "seconds")))
    if arguments.keep:
        save("startup", rows)


if __name__ == "__main__":
    main()
