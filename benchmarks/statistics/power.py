"""Check the stated power of a study, and the error of planned looks, with simulated studies.

`python -m benchmarks.statistics.power` simulates 2,000 studies per condition, and writes `POWER.md` and
`benchmarks/measured/power.json`. `--short` simulates 200 studies of a few conditions, and writes nothing.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.statistics.condition import BASE, Condition
from benchmarks.statistics.simulate import draw
from manyheads.evaluation.estimate import components, contrast, prior_of
from manyheads.evaluation.looks import Spending, level_at
from manyheads.evaluation.power import Variances, estimated, example_parts, power
from manyheads.evaluation.sample import Sample
from manyheads.evaluation.significance import holm

FILE = Path(__file__).parent.parent / "measured" / "power.json"
PAGE = Path(__file__).parent / "POWER.md"

INNER = 1000
"""Simulated tests per estimated power. Their error averages out over the studies."""

ESTIMATES = 400
"""Studies of a condition whose power is estimated."""


@dataclass(frozen=True)
class PowerCase:
    """A condition in which the first compared row differs truly from the baseline."""

    condition: Condition
    difference: float

    @property
    def name(self) -> str:
        """The condition and the difference."""
        return f"{self.condition.name}, difference {self.difference}"


@dataclass(frozen=True)
class PowerFound:
    """The power of a condition.

    `simulated`: the share of studies that find the difference. `stated`: what `evaluation.power` states for the true
    variances. `estimated`: the mean of what it states for the variances of single studies. `covered`: the share of
    these studies whose interval of the power contains `stated`.
    """

    simulated: float
    stated: float
    estimated: float
    covered: float


@dataclass(frozen=True)
class LooksCase:
    """A condition without differences that is tested at several looks. `spending`: None for tests without a plan."""

    condition: Condition
    looks: tuple[int, ...]
    spending: Spending | None

    @property
    def name(self) -> str:
        """The condition, the looks and the spending."""
        looks = ", ".join(map(str, self.looks))
        return f"{self.condition.name}, looks {looks}, {self.spending or 'no plan'}"


@dataclass(frozen=True)
class LooksFound:
    """Shares of studies with a finding at any look: of one test (`type_1`), and of any test after Holm's correction."""

    type_1: float
    family: float


POWER = (
    PowerCase(BASE, 0.03),
    PowerCase(BASE, 0.05),
    PowerCase(replace(BASE, seeds=3), 0.05),
    PowerCase(replace(BASE, seeds=3, correlation=0.0), 0.05),
    PowerCase(replace(BASE, seeds=3, correlation=0.9), 0.05),
    PowerCase(replace(BASE, seeds=5, correlation=0.9), 0.03),
    PowerCase(replace(BASE, seeds=10), 0.03),
    PowerCase(replace(BASE, rows=2), 0.03),
    PowerCase(replace(BASE, rows=2, seeds=3), 0.04),
    PowerCase(replace(BASE, rows=10), 0.04),
    PowerCase(replace(BASE, n=1000), 0.02),
    PowerCase(replace(BASE, apart=0.2), 0.05),
    PowerCase(replace(BASE, apart=0.2, seeds=3, rows=10), 0.1),
    PowerCase(replace(BASE, apart=0.5, seeds=10), 0.05),
    PowerCase(replace(BASE, accuracy=0.5), 0.05),
    PowerCase(replace(BASE, metric="pearson"), 0.03),
    PowerCase(replace(BASE, metric="macro_f1", accuracy=0.7, n=1000), 0.1),
)

LOOKS = tuple(
    LooksCase(replace(BASE, seeds=10, rows=rows), (3, 5, 10), spending)
    for rows in (2, 4, 10)
    for spending in ("obrien-fleming", "pocock", None)
)

SHORT_POWER = (POWER[0], POWER[2], POWER[10])
SHORT_LOOKS = LOOKS[3:6]


def measure_power(case: PowerCase, studies: int) -> PowerFound:
    """Simulate studies with a true difference, and compare with the stated power."""
    condition = case.condition
    rng = np.random.default_rng([*case.name.encode()])
    drawn = [rows for _ in range(studies) if (rows := _rows(condition, rng)) is not None]
    found = float(np.mean([_finds(rows, case.difference) for rows in drawn]))
    all_estimates = [estimated([[row] for row in rows]) for rows in drawn]
    estimates = [each for each in all_estimates if each is not None]
    truth = _truth(estimates, [example_parts([rows[0]], [rows[1]]) for rows in drawn])
    stated = _stated(truth, condition, 20_000).at(case.difference)
    shown = [_stated(each, condition, INNER) for each in estimates[:ESTIMATES]]
    bounds = [each.bounds_at(case.difference) for each in shown]
    return PowerFound(
        simulated=found,
        stated=stated,
        estimated=float(np.mean([each.at(case.difference) for each in shown])),
        covered=float(np.mean([low <= stated <= high for low, high in bounds])),
    )


def measure_looks(case: LooksCase, studies: int) -> LooksFound:
    """Simulate studies without differences, which are tested at every look."""
    rng = np.random.default_rng([*case.name.encode()])
    one = family = 0
    for _ in range(studies):
        rows = _rows(case.condition, rng)
        found = [] if rows is None else [_look(case, rows, place) for place in range(len(case.looks))]
        one += any(first for first, _ in found)
        family += any(some for _, some in found)
    return LooksFound(one / studies, family / studies)


def _look(case: LooksCase, rows: Sequence[Sample], place: int) -> tuple[bool, bool]:
    """Return whether one test, and whether any test of the family, finds a difference at a look."""
    rows = [row.take(range(case.looks[place])) for row in rows]
    prior = prior_of([(row.seeds or (), row.values) for row in rows])
    tests = len(rows) - 1
    of_one, of_any = (
        error if case.spending is None else level_at(case.spending, case.looks, place, error)
        for error in (0.05, 0.05 / tests)
    )
    gaps = [abs(float(row.values.mean() - rows[0].values.mean())) for row in rows[1:]]
    parts = [components([[row], [rows[0]]], [1.0, -1.0], prior) for row in rows[1:]]
    # Holm's method finds a difference if the largest one is significant at the level of all tests.
    return gaps[0] > parts[0].half_width(of_one), any(
        gap > part.half_width(of_any) for gap, part in zip(gaps, parts, strict=True)
    )


def _rows(condition: Condition, rng: np.random.Generator) -> list[Sample] | None:
    rows = [row for row in draw(condition, rng).rows if row is not None]
    return rows if len(rows) == condition.rows else None


def _finds(rows: Sequence[Sample], difference: float) -> bool:
    """Return whether the test of a study finds a difference of the second row, after Holm's correction."""
    shifted = [rows[0], replace(rows[1], values=rows[1].values + difference), *rows[2:]]
    prior = prior_of([(row.seeds or (), row.values) for row in shifted])
    p_values = holm([contrast([[row], [shifted[0]]], [1.0, -1.0], prior=prior).p for row in shifted[1:]])
    return p_values[0] is not None and p_values[0] < 0.05


def _truth(estimates: Sequence[Variances], examples: Sequence[tuple[float, ...]]) -> Variances:
    """Return the true variances: the means of unbiased estimates over all studies."""
    totals, residuals, _, seeds, _ = np.array(examples).T
    return replace(
        estimates[0],
        seeds=float(np.mean([each.seeds for each in estimates])),
        examples=max(0.0, float(np.mean(totals - residuals / seeds))),
        residual=float(residuals.mean()),
        seeds_df=float("inf"),
        examples_df=float("inf"),
        spread_df=2 * float(totals.mean()) ** 2 / float(np.var(totals - residuals / seeds)),
    )


def _stated(variances: Variances, condition: Condition, studies: int) -> Any:
    tests = condition.rows - 1
    return power(variances, rows=condition.rows, comparisons=tests, seeds=[condition.seeds], studies=studies)[0]


def _page(
    power_found: Sequence[tuple[Any, Any]], looks_found: Sequence[tuple[Any, Any]], studies: int
) -> Iterator[str]:
    yield "# Simulated power and looks"
    yield ""
    yield (
        f"`python -m benchmarks.statistics.power` simulates {studies:,} studies per condition. The conditions are "
        "those of [the simulated studies](RESULTS.md)."
    )
    yield ""
    yield (
        "One row truly differs from the baseline. *simulated*: the share of studies that find it after Holm's "
        "correction. *true variances*: the power that `manyheads.evaluation.power` states for the true variances. "
        "*estimated variances*: the mean of what it states for the variances of single studies. *interval*: the share "
        "of single studies whose 95% interval contains the power of the true variances."
    )
    yield ""
    yield "| condition | simulated | true variances | estimated variances | interval |"
    yield "|:--|--:|--:|--:|--:|"
    for case, found in power_found:
        yield f"| {case.name} | " + " | ".join(f"{value:.3f}" for value in asdict(found).values()) + " |"
    yield ""
    yield (
        "No row differs. The study is tested at every look. *one test*: the share of studies in which one test finds a "
        "difference at any look. *family*: in which any test does, after Holm's correction."
    )
    yield ""
    yield "| condition | one test | family |"
    yield "|:--|--:|--:|"
    for case, found in looks_found:
        yield f"| {case.name} | {found.type_1:.3f} | {found.family:.3f} |"


def main() -> None:
    """Simulate, print a line per condition, and write the results of the long form."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    parser.add_argument("--studies", type=int)
    parser.add_argument("--jobs", type=int, default=2)
    options = parser.parse_args()
    studies = options.studies or (200 if options.short else 2000)
    with ProcessPoolExecutor(options.jobs) as pool:
        power_found = _measured(pool, measure_power, SHORT_POWER if options.short else POWER, studies)
        looks_found = _measured(pool, measure_looks, SHORT_LOOKS if options.short else LOOKS, studies)
    if not options.short:
        content = [{"case": asdict(case), **asdict(found)} for case, found in (*power_found, *looks_found)]
        FILE.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        PAGE.write_text("\n".join(_page(power_found, looks_found, studies)) + "\n", encoding="utf-8")


def _measured(
    pool: ProcessPoolExecutor, measure: Callable[[Any, int], Any], cases: Sequence[Any], studies: int
) -> list[tuple[Any, Any]]:
    found = []
    for case, measures in zip(cases, pool.map(partial(measure, studies=studies), cases), strict=True):
        found.append((case, measures))
        print(f"{case.name}: {measures}", flush=True)
    return found


if __name__ == "__main__":
    main()
