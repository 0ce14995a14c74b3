"""The speed of this checkout against another one: `python -m benchmarks.commits FOLDER_OF_THE_OTHER_CHECKOUT`.

Both programs train on the recipe `minilm/cross.toml` and evaluate dev examples, each in a process of its own. They take
turns, and the first one of a round changes from round to round, so that a machine whose speed drifts favours neither.
The other checkout must have `benchmarks/turns.py`, as every version since 0.4.0.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import IO

import numpy as np
from scipy import stats

from benchmarks.record import table
from benchmarks.work import ROOT

CHILD = """
import sys
from benchmarks.turns import CHANGES, EVALUATED, OURS, PROGRAMS, ROOT, WARM
from benchmarks.work import load_work

out, sys.stdout = sys.stdout, sys.stderr
size, window = map(int, sys.argv[1:])
work = load_work(ROOT / "recipes" / "minilm" / "cross.toml", [f"batching.batch_size={size}", *CHANGES["cross"]])
program, blocks = PROGRAMS[OURS](work), work.blocks(window)
program.train(next(blocks)[:WARM], 0)
dev = [(task, row) for task, split in work.prepared.dev.items() for row in range(min(EVALUATED, len(split)))]
print("ready", file=out, flush=True)
for number, line in enumerate(sys.stdin, start=1):
    if line.strip() == "training":
        block = next(blocks)
        rate = sum(map(len, block)) / program.train(block, number)
    else:
        rate = len(dev) / program.evaluate(dev)
    print(rate, file=out, flush=True)
"""

COLUMNS = ("work", "batch", "this, examples/s", "other, examples/s", "this / other", "low", "high")


class Player:
    """The program of one checkout in its process."""

    def __init__(self, checkout: Path, size: int, window: int) -> None:
        variables = {**os.environ, "PYTHONPATH": f"{checkout / 'src'}{os.pathsep}{checkout}"}
        command = [sys.executable, "-c", CHILD, str(size), str(window)]
        self.process = subprocess.Popen(
            command, cwd=checkout, env=variables, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        if self._line() != "ready":
            raise SystemExit(f"the program of {checkout} did not start")

    def rate(self, work: str) -> float:
        """Return the examples per second of one turn of "training" or "evaluation"."""
        asked: IO[str] | None = self.process.stdin
        assert asked is not None
        asked.write(f"{work}\n")
        asked.flush()
        return float(self._line())

    def _line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().strip()


def main() -> None:
    """Measure both checkouts and print the rates and their ratio with its 95% interval over rounds."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("other", type=Path, help="another checkout")
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--window", type=int, default=4, help="batches per turn")
    parser.add_argument("--rounds", type=int, default=16)
    own = parser.parse_args()
    players = [Player(checkout.resolve(), own.batch, own.window) for checkout in (ROOT, own.other)]
    rows = []
    for work in ("training", "evaluation"):
        rates = np.empty((own.rounds, 2))
        for number in range(own.rounds):
            for which in (0, 1) if number % 2 == 0 else (1, 0):
                rates[number, which] = players[which].rate(work)
        ratios = np.log(rates[:, 0] / rates[:, 1])
        half = stats.t.ppf(0.975, own.rounds - 1) * ratios.std(ddof=1) / np.sqrt(own.rounds)
        middle, low, high = (f"{np.exp(ratios.mean() + shift):.3f}" for shift in (0, -half, half))
        this, other = (f"{statistics.median(rates[:, which]):.1f}" for which in (0, 1))
        rows.append(dict(zip(COLUMNS, (work, own.batch, this, other, middle, low, high), strict=True)))
    print(table(rows, COLUMNS))
    for player in players:
        player.process.kill()


if __name__ == "__main__":
    main()
