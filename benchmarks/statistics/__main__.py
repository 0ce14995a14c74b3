"""Simulate every condition and write `benchmarks/measured/statistics.json` and a table.

`python -m benchmarks.statistics` simulates 2,000 studies per condition, in less than 20 minutes on two cores. `--short`
simulates 200 studies of each of a few conditions, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from functools import partial
from pathlib import Path

from benchmarks.statistics.condition import BASE, SHORT, Condition, conditions
from benchmarks.statistics.measure import Measures, measure

FILE = Path(__file__).parent.parent / "measured" / "statistics.json"
PAGE = Path(__file__).parent / "RESULTS.md"

COLUMNS: dict[str, Callable[[Measures], str]] = {
    "coverage of a mean": lambda found: _share(found.mean),
    "width": lambda found: f"{found.mean_width:.4f}",
    "coverage of a difference": lambda found: _share(found.difference),
    "width ": lambda found: f"{found.difference_width:.4f}",
    "type I, last row": lambda found: _share(found.type_1),
    "type I, main effect": lambda found: _share(found.effect),
    "familywise error": lambda found: _share(found.family),
    "power at .02": lambda found: _share(found.power),
}


def main() -> None:
    """Simulate, print a line per condition, and write the results of the long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--studies", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--match", help="only conditions whose name contains this; writes nothing")
    options = parser.parse_args()
    chosen = [each for each in (SHORT if options.short else conditions()) if (options.match or "") in each.name]
    studies = options.studies or (200 if options.short else 2000)
    began = time.perf_counter()
    found = []
    with ProcessPoolExecutor(options.jobs) as pool:
        for condition, measures in zip(chosen, pool.map(partial(measure, studies=studies), chosen), strict=True):
            found.append((condition, measures))
            cells = ", ".join(f"{name.strip()} {cell(measures)}" for name, cell in COLUMNS.items())
            print(f"{condition.name}: {cells}", flush=True)
    print(f"{len(found)} conditions, {time.perf_counter() - began:.0f} s")
    if not options.short and not options.match:
        content = [{"condition": asdict(condition), **asdict(measures)} for condition, measures in found]
        FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text("\n".join(page(found, studies)) + "\n", encoding="utf-8")


def page(found: Iterable[tuple[Condition, Measures]], studies: int) -> Iterator[str]:
    """Yield the lines of the page with all conditions."""
    yield "# Simulated studies"
    yield ""
    yield (
        f"`python -m benchmarks.statistics` simulates {studies:,} studies per condition. The rows are equal. "
        f"The base case has {BASE.seeds} seeds, {BASE.n} dev examples, an accuracy of {BASE.accuracy}, "
        f"{BASE.rows} rows and a correlation of seeds between rows of {BASE.correlation}. A condition names what "
        "differs. `noise 5.0`: the last row is five times noisier. Coverage is that of 95% intervals, with the mean "
        "width of the intervals. Type I errors are those of one test at 5%. The familywise error is that of all rows "
        "after Holm's correction. Power is that of one uncorrected test."
    )
    yield ""
    yield f"| condition | {' | '.join(COLUMNS)} |"
    yield "|:--|" + "--:|" * len(COLUMNS)
    for condition, measures in found:
        yield f"| {condition.name} | {' | '.join(cell(measures) for cell in COLUMNS.values())} |"


def _share(value: float) -> str:
    return "" if math.isnan(value) else f"{value:.3f}".replace("0.", ".", 1)


if __name__ == "__main__":
    main()
