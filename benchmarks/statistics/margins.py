"""Error rates of the tests against a margin: `python -m benchmarks.statistics.margins`.

The rows of a simulated study are equal. A difference of 0 is as far from a margin of 0 as a difference of -margin is
from the margin, so the share of studies in which a row is "above 0" is the type I error of non-inferiority, and a bound
of that of equivalence. The power is that of showing equality within a margin.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass

import numpy as np

from benchmarks.statistics.condition import BASE, Condition
from benchmarks.statistics.simulate import draw
from manyheads.evaluation.estimate import contrast, prior_of
from manyheads.evaluation.significance import above_by, against_margin

MARGIN = 0.03

CONDITIONS = tuple(
    Condition(seeds=seeds, n=n, accuracy=accuracy, correlation=correlation)
    for seeds in (3, 5, 10)
    for n, accuracy in ((300, 0.9), (1000, 0.8))
    for correlation in (0.0, 0.5)
)


@dataclass(frozen=True)
class Rates:
    """Shares of studies: non-inferiority shown at the margin (`type_1`), and equivalence shown for equal rows."""

    type_1: float
    power: float


def rates(condition: Condition, studies: int) -> Rates:
    """Simulate studies, and test their second row against the first one."""
    rng = np.random.default_rng(7)
    above, equivalent = [], []
    for _ in range(studies):
        rows = [row for row in draw(condition, rng).rows if row is not None]
        prior = prior_of([(row.seeds or (), row.values) for row in rows])
        estimate = contrast([[rows[1]], [rows[0]]], [1.0, -1.0], prior=prior)
        one, found = above_by(estimate, 0.0), against_margin(estimate, MARGIN)
        above.append(one is not None and one < 0.05)
        equivalent.append(found is not None and found.p_equivalent is not None and found.p_equivalent < 0.05)
    return Rates(float(np.mean(above)), float(np.mean(equivalent)))


def main() -> None:
    """Print a line per condition."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--studies", type=int, default=2000)
    studies = parser.parse_args().studies
    for condition in dict.fromkeys((BASE, *CONDITIONS)):
        found = rates(condition, studies)
        print(f"{condition.name}: type I {found.type_1:.3f}, power at margin {MARGIN} {found.power:.2f}", flush=True)


if __name__ == "__main__":
    main()
