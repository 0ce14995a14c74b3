"""Start-up time: `python -m benchmarks.startup`.

It measures `manyheads --help`, the import of torch and BertModel, and a training run to its first step with all data
already read and tokenised. Each is a process of its own, timed from its start. The programs take turns, and medians are
reported. The run is one of `recipes/minilm/cross.toml`. Its first step begins when the loop requests its first batch.
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
"""Runs `manyheads` with its arguments, up to the first step."""

IMPORTS = "import torch; from transformers import BertModel"


def programs(data: Path) -> dict[str, list[str]]:
    """Return the timed commands by name. `train` gets its run folder later."""
    train = ["train", str(RECIPE), "--set", f"data_dir={data}"]
    return {
        "help": ["-m", "manyheads", "--help"],
        "imports": ["-c", IMPORTS],
        "train": ["-c", TO_FIRST_STEP, *train],
    }


def seconds_of(name: str, words: Sequence[str], environment: Mapping[str, str]) -> float:
    """Measure the wall time of one process. A run must reach its first step."""
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
    """Return the rows of the table. An extra first round fills the caches and is not counted."""
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
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--data", type=Path, default=DATA)
    parser.add_argument("--keep", action="store_true", help="write measured/startup.json")
    arguments = parser.parse_args()
    rows = measure(arguments.rounds, arguments.data)
    # Recording imports torch. The measured processes must not find it warmer in the disk cache than a user does.
    from benchmarks.record import save, table

    print(table(rows, ("what", "seconds")))
    if arguments.keep:
        save("startup", rows)


if __name__ == "__main__":
    main()
