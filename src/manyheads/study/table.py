"""Table: all that a study found, as typed numbers. Renderers and figures only show what stands here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from manyheads.study.collect import Failure

DIGITS = 6
"""Decimal places of every number of a table: far below any interval, far above the noise of summation order."""


def tidy(value: float) -> float:
    """A number as a table keeps it; zero has no sign."""
    return round(float(value), DIGITS) + 0.0


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95% interval over seeds and dev examples."""

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class Difference:
    """A difference with its 95% interval; `p` that it is none, `p_holm` corrected over its family.

    Both are None where seeds are too few to say.
    """

    mean: float
    low: float
    high: float
    p: float | None
    p_holm: float | None

    @property
    def clear(self) -> bool:
        """Whether it stays significant at 5% after correction."""
        return self.p_holm is not None and self.p_holm < 0.05


@dataclass(frozen=True)
class Figures:
    """A row's figures at one epoch of each run; None where a metric is undefined or no run is finished.

    `epochs`: for each finished run, the epoch that the figures are of.
    """

    tasks: Mapping[str, Interval | None]
    average: Interval | None
    course_score: Interval | None
    epochs: tuple[float | None, ...]

    def of(self, metric: str) -> Interval | None:
        """The figure of "average", "course_score" or a task."""
        if metric == "average":
            return self.average
        return self.course_score if metric == "course_score" else self.tasks.get(metric)


@dataclass(frozen=True)
class TableRow:
    """One row. `best` is each run's best epoch by dev average, `last` its last one.

    `difference` from the baseline in the study's metric; `differences` in each task's metric, a family of their own.
    `may_be_best`: whether the row cannot be told from the best (None: not known, or a twin).
    """

    name: str
    same_as: str | None
    twin_of: tuple[str, str] | None
    levels: Mapping[str, str]
    provenance: str | None
    seeds: tuple[int, ...]
    failed: tuple[int, ...]
    missing: tuple[int, ...]
    best: Figures
    last: Figures
    difference: Difference | None
    differences: Mapping[str, Difference | None]
    may_be_best: bool | None


@dataclass(frozen=True)
class TwinGain:
    """What training together did for one task of a row: its metric there less that of the task trained alone.

    `task` may be "average": that of the row less that of all its twins, and `twin` is then None.
    """

    row: str
    task: str
    twin: str | None
    together: Interval | None
    alone: Interval | None
    gain: Difference | None


@dataclass(frozen=True)
class Effect:
    """What a factor's level is worth against the baseline's level, or how two levels interact.

    `kind`: "main effect" or "interaction"; each is a family of its own.
    """

    kind: str
    name: str
    factors: tuple[str, ...]
    value: Difference


@dataclass(frozen=True)
class RowCurve:
    """A row's metric by epoch: mean, lowest and highest over seeds; `None` where a run's metric is undefined."""

    row: str
    column: str
    epochs: tuple[float, ...]
    mean: tuple[float | None, ...]
    low: tuple[float | None, ...]
    high: tuple[float | None, ...]


@dataclass(frozen=True)
class Timing:
    """Training seconds of a row's runs, on the hardware that they ran on."""

    row: str
    mean: float
    low: float
    high: float
    hardware: tuple[str, ...]


@dataclass(frozen=True)
class TaskFacts:
    """A task as the study measured it."""

    name: str
    metric: str
    dev_examples: int


@dataclass(frozen=True)
class Table:
    """A study's table. `rows` depend on the runs' predictions alone; `timings` are of this machine and this day."""

    title: str
    caption: str
    setting: str
    baseline: str
    metric: str
    seeds: tuple[int, ...]
    factors: tuple[str, ...]
    tasks: tuple[TaskFacts, ...]
    rows: tuple[TableRow, ...]
    twins: tuple[TwinGain, ...]
    effects: tuple[Effect, ...]
    aliases: tuple[str, ...]
    smallest_difference: float | None
    notes: tuple[str, ...]
    failures: tuple[Failure, ...]
    curves: tuple[RowCurve, ...]
    timings: tuple[Timing, ...]

    @property
    def listed(self) -> tuple[TableRow, ...]:
        """The rows that are no twins."""
        return tuple(row for row in self.rows if row.twin_of is None)
