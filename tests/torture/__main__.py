"""Run the trials: `make torture`, or `python -m tests.torture [--short] [--only kills,disk] [--out FOLDER]`.

It can be stopped and repeated: trials in the ledger are not run again. `--again ID` repeats one trial and prints it.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import sys
import time
import traceback
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType

from tests.torture import disk, fork, generated, kills, mutations, planted, requests
from tests.torture.ledger import TRACEBACK, Ledger, Trial, Verdict, verdict
from tests.torture.table import table, write_results
from tests.torture.world import World

SEED = 12
"""The order of the trials."""


PARTS: dict[str, ModuleType] = {
    "generated": generated,
    "disk": disk,
    "requests": requests,
    "mutations": mutations,
    "kills": kills,
}
"""The parts by name."""


def main() -> int:
    """Run the trials that are not in the ledger and print the table. Return 1 if a trial found a fault."""
    parser = argparse.ArgumentParser(prog="python -m tests.torture", description=__doc__)
    parser.add_argument("--work", type=Path, default=Path("runs/torture"), help="folder of the ledger and the trials")
    parser.add_argument("--out", type=Path, help="write README.md and counts.json into this folder")
    parser.add_argument("--only", default="", help="names of parts, separated by commas")
    parser.add_argument("--match", default="", help="only trials whose id contains this")
    parser.add_argument("--short", action="store_true", help="a few trials of each part")
    parser.add_argument("--jobs", type=int, default=2, help="parallel trials")
    parser.add_argument("--again", metavar="ID", help="repeat one trial, print its end, and keep its folder")
    parser.add_argument("--faults", action="store_true", help="repeat the trials that found a fault")
    options = parser.parse_args()
    work = options.work.absolute()
    fork.warm()
    world = World(work)
    world.prepare()
    ledger = Ledger(work / "ledger.jsonl")
    chosen = [each for each in options.only.split(",") if each] or list(PARTS)
    if options.again:
        return again(world, options.again)
    todo: list[tuple[ModuleType, Trial]] = []
    last = ledger.last()
    planned: Counter[str] = Counter()
    for name in PARTS if options.out is not None else chosen:
        part = PARTS[name]
        for trial in part.trials(world, short=options.short):
            planned[trial.group] += trial.values.get("count", 1)
            entry = last.get(trial.id)
            if options.match not in trial.id or name not in chosen:
                continue
            if entry is None or (options.faults and Verdict(entry["counts"]).faults):
                todo.append((part, trial))
    # The short parts come first. The order is random otherwise, so that a stopped run is a sample.
    random.Random(SEED).shuffle(todo)
    todo.sort(key=lambda each: each[0] in (mutations, kills))
    ends = planted.found(world, work / "planted")
    right = sum(found == wanted for wanted, found in ends.items())
    print(f"planted faults found: {right} of {len(ends)}", flush=True)
    run_all(world, ledger, todo, options.jobs, work / "trials")
    print(table(ledger.totals(), planned))
    if options.out is not None:
        write_results(
            options.out,
            ledger,
            planned,
            seed=SEED,
            generated=generated.SEED,
            patience=fork.SECONDS,
            words=sys.argv[1:],
        )
    return 1 if right < len(ends) or any(Verdict(counts).faults for counts in ledger.totals().values()) else 0


def run_all(world: World, ledger: Ledger, todo: Sequence[tuple[ModuleType, Trial]], jobs: int, scratch: Path) -> None:
    """Run each trial in a process of its own, at most `jobs` at once."""
    shutil.rmtree(scratch, ignore_errors=True)
    running: set[int] = set()
    began = time.monotonic()
    for number, (part, trial) in enumerate(todo, 1):
        if len(running) >= jobs:
            running.discard(os.wait()[0])
        child = os.fork()
        if child == 0:
            _one(world, ledger, part, trial, scratch)
        running.add(child)
        if number % 100 == 0 or number == len(todo):
            seconds = time.monotonic() - began
            print(f"{number} of {len(todo)} trials in {seconds:.0f} s; now {trial.id}", flush=True)
    while running:
        running.discard(os.wait()[0])
    shutil.rmtree(scratch, ignore_errors=True)


def _one(world: World, ledger: Ledger, part: ModuleType, trial: Trial, scratch: Path) -> None:
    folder = scratch / str(os.getpid())
    status = 1
    try:
        began = time.monotonic()
        end = attempt(world, part, trial, folder)
        ledger.add(trial, end, time.monotonic() - began)
        if end.faults:
            print(f"{trial.id}: {dict(end.counts)}: {' | '.join(end.details)[:300]}", flush=True)
        shutil.rmtree(folder, ignore_errors=True)
        status = 0
    finally:
        os._exit(status)


def attempt(world: World, part: ModuleType, trial: Trial, folder: Path) -> Verdict:
    """Run one trial in a new folder. An error of the trial itself counts as a traceback, so that it is seen."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return part.attempt(world, trial, folder)
    except Exception:
        return verdict(TRACEBACK, "the trial failed", traceback.format_exc())


def again(world: World, wanted: str) -> int:
    """Repeat one trial and print how it ended. Its folder is kept."""
    part = PARTS[wanted.partition("/")[0]]
    trial = next((each for each in part.trials(world, short=False) if each.id == wanted), None)
    if trial is None:
        raise SystemExit(f"no such trial: {wanted}")
    folder = world.folder.parent / "again"
    end = attempt(world, part, trial, folder)
    print(trial.id, dict(trial.values))
    print(dict(end.counts))
    print("\n".join(end.details))
    print(f"folder: {folder}")
    return 1 if end.faults else 0


if __name__ == "__main__":
    sys.exit(main())
