"""What a report holds, as plain values: every form of it is made from this alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from manyheads.evaluation.interval import Measured
from manyheads.report.answers import Answers
from manyheads.report.calibration import Calibration
from manyheads.report.clashes import Clashes
from manyheads.report.confusion import Confusion
from manyheads.report.fit import Fit
from manyheads.report.groups import Group
from manyheads.report.log import Log
from manyheads.report.mistakes import Mistake


@dataclass(frozen=True)
class TaskReport:
    """One task. `answers`: those of the shipped model on dev. `curve`: (epoch, metric) of every evaluation.

    `measures`: every metric on dev, the primary one first; `last` the primary one at the last epoch; `test` as
    `measures`, where the test file has labels. `commonest`: the accuracy of always giving dev's most frequent label.
    `texts_missing`: why texts, lengths and clashes are not here.
    """

    name: str
    kind: str
    metric: str
    value_range: tuple[float, float] | None
    answers: Answers
    measures: tuple[Measured, ...]
    last: Measured
    test: tuple[Measured, ...]
    commonest: float | None
    curve: tuple[tuple[float, float | None], ...]
    losses: tuple[tuple[float, float], ...]
    confusion: Confusion | None
    calibration: Calibration | None
    fit: Fit | None
    by_label: tuple[Group, ...]
    by_length: tuple[Group, ...]
    mistakes: tuple[Mistake, ...]
    clashes: Clashes | None
    texts_missing: str | None


@dataclass(frozen=True)
class Report:
    """One finished run. `results`, `provenance`: the content of those files; `recipe`: the text of recipe.toml.

    `which`: "best" or "last", the epoch whose model is shipped and whose answers these are; `epoch` is its number.
    """

    name: str
    which: str
    epoch: float
    average: Measured
    last_average: float | None
    tasks: tuple[TaskReport, ...]
    log: Log
    results: Mapping[str, Any]
    provenance: Mapping[str, Any]
    recipe: str
