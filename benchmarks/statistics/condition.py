"""The conditions under which studies are simulated: a base case, changes of one factor, and crossings of factors."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace


@dataclass(frozen=True)
class Condition:
    """What is simulated.

    `metric`: of the one task. `accuracy`: true accuracy; for macro-F1 the recall of the class with 2% of the examples.
    `correlation`: the share of the seed variance that all rows have in common. `noise`: the seed standard deviation of
    the last row divided by that of the others. `distribution`: of targets and errors of a regression. `clusters`:
    examples per cluster. `seed_sd`: the standard deviation of a seed on the latent scale. `ignore_clusters`: analyse
    clustered examples as independent ones, as a control that must fail. `evaluations`: per run, all equally good.
    `of_baseline`: those of the first row, 0 for the same number. `select`: how the evaluation is chosen; "best" is a
    control that must fail. `collapse`: the share of runs that predict one class for all examples; the true value is
    that of the other runs. `apart`: the variance of what a row finds easy in an example, and other rows do not. The
    ease that rows share has the variance 1.
    """

    seeds: int = 5
    n: int = 300
    accuracy: float = 0.9
    correlation: float = 0.5
    noise: float = 1.0
    rows: int = 4
    metric: str = "accuracy"
    distribution: str = "normal"
    clusters: int = 1
    seed_sd: float = 0.08
    ignore_clusters: bool = False
    evaluations: int = 1
    of_baseline: int = 0
    select: str = "crossfit"
    collapse: float = 0.0
    apart: float = 0.0

    @property
    def name(self) -> str:
        """What differs from the base case."""
        base = Condition()
        differs = [each.name for each in fields(self) if getattr(self, each.name) != getattr(base, each.name)]
        return ", ".join(f"{name} {getattr(self, name)}" for name in differs) or "base case"

    @property
    def control(self) -> bool:
        """Whether the condition must fail."""
        return self.ignore_clusters or self.select != "crossfit"

    @property
    def evaluations_of_rows(self) -> list[int]:
        """The number of evaluations of the runs of each row."""
        return [self.of_baseline or self.evaluations, *[self.evaluations] * (self.rows - 1)]

    @property
    def rarest(self) -> float:
        """The expected number of examples of the rarest outcome."""
        if self.metric == "macro_f1":
            return 0.02 * self.n
        return min(self.accuracy, 1 - self.accuracy) * self.n if self.metric in ("accuracy", "mcc") else self.n


BASE = Condition()

FACTORS: dict[str, tuple[object, ...]] = {
    "rows": (2, 3, 10),
    "metric": ("pearson", "spearman", "mcc"),
    "clusters": (5, 20),
    "seed_sd": (0.0, 0.3),
}


def conditions() -> Iterator[Condition]:
    """Yield every condition once."""
    seen = set()
    for each in _all():
        if each not in seen:
            seen.add(each)
            yield each


def _all() -> Iterator[Condition]:
    yield BASE
    for name, values in FACTORS.items():
        for value in values:
            yield replace(BASE, **{name: value})  # type: ignore[arg-type]
    for distribution in ("skewed", "t3"):
        yield replace(BASE, metric="pearson", distribution=distribution)
    for n in (300, 1000):
        yield replace(BASE, metric="macro_f1", accuracy=0.7, n=n)
    for evaluations, of_baseline in ((5, 0), (10, 0), (5, 1), (10, 1)):
        for noise in (1.0, 5.0):
            yield replace(BASE, evaluations=evaluations, of_baseline=of_baseline, noise=noise)
        yield replace(BASE, evaluations=evaluations, of_baseline=of_baseline, clusters=5)
    for metric in ("pearson", "mcc"):
        yield replace(BASE, metric=metric, evaluations=10, of_baseline=1)
    yield replace(BASE, evaluations=10, of_baseline=1, select="best")
    for seeds in (3, 5, 10):
        yield replace(BASE, seeds=seeds, collapse=0.1)
    for seeds, correlation, noise in itertools.product((2, 3, 5, 10, 20), (0.0, 0.5, 0.9), (1.0, 5.0)):
        yield replace(BASE, seeds=seeds, correlation=correlation, noise=noise)
    for seeds, accuracy, n in itertools.product((2, 3, 5, 10, 20), (0.5, 0.9, 0.99), (100, 300, 1000)):
        yield replace(BASE, seeds=seeds, accuracy=accuracy, n=n)


SHORT = (
    BASE,
    replace(BASE, seeds=3, noise=5.0),
    replace(BASE, seeds=3, correlation=0.9, rows=10),
    replace(BASE, seeds=20, accuracy=0.99, n=100),
    replace(BASE, clusters=5),
    replace(BASE, clusters=5, ignore_clusters=True),
    replace(BASE, metric="pearson"),
    replace(BASE, evaluations=10, of_baseline=1),
    replace(BASE, evaluations=10, of_baseline=1, select="best"),
)
"""The conditions of the short form."""
