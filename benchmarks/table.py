"""Time of a large study's table: `python -m benchmarks.table` (30 rows, 10 seeds, 3 tasks, 20,000 dev examples each).

The runs are the synthetic ones of the tests at full size, with two evaluations each. The time is that of the whole
command `manyheads table`, from three forms of the runs: with all files, with `predictions/*.all.npz` alone, and with
JSON lines alone.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import ModuleType

from benchmarks.record import save

ROOT = Path(__file__).parents[1]
LOSS_WEIGHTS = (0.05, 0.1, 0.2, 0.5, 1.0)
BATCH_SIZES = (8, 16, 32)
STRATEGIES = ("even", "sequential")
ALL, LINES = "predictions/*.all.npz", "predictions/*.jsonl"


def main() -> None:
    """Make the runs, then measure the table from each form of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--examples", type=int, default=20_000, help="dev examples of each task")
    arguments = parser.parse_args()
    made_up = synthetic()
    made_up.DEV_ROWS.update(dict.fromkeys(("sst", "para", "sts"), arguments.examples))
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        study = made_up.SyntheticStudy(Path(folder))
        study.file.write_text(
            f'base = "recipe.toml"\nseeds = {list(range(1, arguments.seeds + 1))}\ntwins = []\n[grid]\n'
            f'"tasks.para.loss_weight" = {list(LOSS_WEIGHTS)}\n"batching.batch_size" = {list(BATCH_SIZES)}\n'
            f'"batching.strategy" = {list(STRATEGIES)}\n'.replace("'", '"')
        )
        plan = study.plan()
        for cell in made_up.cells_of(plan, study.out):
            made_up.make_run(cell, 0.0)
            made_up._MADE.clear()  # the texts of all runs need gigabytes
            made_up.write_every_evaluation(cell)
        moved = Path(folder) / "moved"
        for form, without in (("all files", ""), ("*.all.npz alone", LINES), ("JSON lines alone", ALL)):
            move(study.out, moved, f"*/*/{without}" if without else "")
            seconds = time_table(study.file, study.out)
            move(moved, study.out, "**/*")
            rows.append({"rows": len(plan.rows), "seeds": arguments.seeds, "predictions": form, "seconds": seconds})
            print(rows[-1], flush=True)
    save("table", rows)


def synthetic() -> ModuleType:
    """Return the module of the tests that makes synthetic studies."""
    spec = importlib.util.spec_from_file_location("made_up", ROOT / "tests" / "study" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def move(source: Path, target: Path, pattern: str) -> None:
    """Move the files of a pattern to another folder, at their relative paths."""
    for file in [each for each in source.glob(pattern) if each.is_file()] if pattern else []:
        place = target / file.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        file.rename(place)


def time_table(file: Path, out: Path) -> float:
    """Return the seconds of the command `manyheads table`."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "manyheads", "table", str(file), "--out", str(out)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return round(time.perf_counter() - started, 1)


if __name__ == "__main__":
    main()
