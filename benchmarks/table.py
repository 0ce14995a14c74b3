"""Time of a large study's table: `python -m benchmarks.table` (30 rows, 5 seeds, dev files of the course's size).

The runs are the synthetic ones of the tests at full size. The time is that of the whole command `manyheads table`.
"""

from __future__ import annotations

import argparse
import importlib.util
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
DEV_ROWS = {"sst": 1101, "para": 20212, "sts": 863}
LOSS_WEIGHTS = (0.05, 0.1, 0.2, 0.5, 1.0)
BATCH_SIZES = (8, 16, 32)
STRATEGIES = ("even", "sequential")


def main() -> None:
    """Make the runs, then measure the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    spec = importlib.util.spec_from_file_location("made_up", ROOT / "tests" / "study" / "conftest.py")
    assert spec is not None
    assert spec.loader is not None
    made_up = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made_up)
    made_up.DEV_ROWS.update(DEV_ROWS)
    with tempfile.TemporaryDirectory() as folder:
        study = made_up.SyntheticStudy(Path(folder))
        study.file.write_text(
            f'base = "recipe.toml"\nseeds = {list(range(1, arguments.seeds + 1))}\ntwins = []\n[grid]\n'
            f'"tasks.para.loss_weight" = {list(LOSS_WEIGHTS)}\n"batching.batch_size" = {list(BATCH_SIZES)}\n'
            f'"batching.strategy" = {list(STRATEGIES)}\n'.replace("'", '"')
        )
        plan = study.run()
        started = time.perf_counter()
        command = [sys.executable, "-m", "manyheads", "table", str(study.file), "--out", str(study.out)]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        seconds = time.perf_counter() - started
    print(f"{len(plan.rows)} rows, {arguments.seeds} seeds, dev rows {DEV_ROWS}: {seconds:.1f} s")


if __name__ == "__main__":
    main()
