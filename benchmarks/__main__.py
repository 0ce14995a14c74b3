"""Run all benchmarks: `python -m benchmarks` (about 50 minutes on two cores, about 10 with `--quick`).

Each benchmark writes its results to `measured/`. The last program makes `RESULTS.md` and its figure from them.
"""

from __future__ import annotations

import argparse
import subprocess
import sys

WHOLE = (
    ["training"],
    ["stages"],
    ["operations"],
    ["growth"],
    ["startup", "--keep"],
    ["corpus", "--keep", "--rows", "1000,10000,100000,1000000"],
    ["page"],
)
QUICK = (
    ["training", "--rounds", "3", "--cases", "cross:8,32 pairs:32", "--most", "320"],
    ["stages", "--steps", "15"],
    ["startup", "--keep", "--rounds", "3"],
    ["corpus", "--keep", "--rows", "1000,10000,100000"],
    ["page"],
)


def main() -> None:
    """Run the benchmarks. On a machine with a CUDA device, also run the one for GPUs."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="fewer cases and rounds")
    programs = list(QUICK if parser.parse_args().quick else WHOLE)
    if torch.cuda.is_available():
        programs.insert(-1, ["gpu"])
    for name, *options in programs:
        print(f"python -m benchmarks.{name} {' '.join(options)}", flush=True)
        subprocess.run([sys.executable, "-m", f"benchmarks.{name}", *options], check=True)


if __name__ == "__main__":
    main()
