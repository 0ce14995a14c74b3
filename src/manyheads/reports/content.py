"""The content of a report as plain values, from which every format is written."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from manyheads.evaluation.interval import Measured
from manyheads.reports.conflicts import Conflicts
from manyheads.reports.groups import Group, Mistake
from manyheads.reports.keys import plain, stored_as
from manyheads.reports.log import Log
from manyheads.reports.predictions import TaskPredictions
from manyheads.reports.views import Calibration, Confusion, Fit


@dataclass(frozen=True)
class TaskReport:
    """The report of one task.

    `predictions`: the dev predictions of the shipped model. `measures`: all dev metrics, the primary one first. `last`:
    the primary metric at the last epoch. `test`: like `measures`, if the test file has labels. `majority_accuracy`: the
    accuracy of always predicting the most frequent dev label. `curve`: (epoch, metric) of every evaluation. `losses`:
    (epoch, mean training loss). `texts_missing`: why texts, lengths and label conflicts are missing.
    `decoding`: how the decoding of outputs was tuned, if it was.
    """

    name: str
    kind: str
    metric: str
    value_range: tuple[float, float] | None
    predictions: TaskPredictions = field(metadata=stored_as("answers"))
    measures: tuple[Measured, ...]
    last: Measured
    test: tuple[Measured, ...]
    majority_accuracy: float | None = field(metadata=stored_as("commonest"))
    curve: tuple[tuple[float, float | None], ...]
    losses: tuple[tuple[float, float], ...]
    confusion: Confusion | None
    calibration: Calibration | None
    fit: Fit | None
    by_label: tuple[Group, ...]
    by_length: tuple[Group, ...]
    mistakes: tuple[Mistake, ...]
    conflicts: Conflicts | None = field(metadata=stored_as("clashes"))
    texts_missing: str | None
    decoding: str | None = None


@dataclass(frozen=True)
class Report:
    """The report of one finished run.

    `which`: "best" or "last", the epoch whose model is shipped and whose predictions are reported. `epoch`: its number.
    `whole_rows`, `whole_test_rows`: the share of dev and of test rows on which all tasks with the same rows are right.
    `results`, `provenance`: the content of results.json and provenance.json. `recipe`: the text of recipe.toml.
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
    whole_rows: tuple[Measured, ...] = ()
    whole_test_rows: tuple[Measured, ...] = ()


def to_json(report: Report) -> str:
    """Return the content of report.json. The predictions themselves are only in the folder `predictions` of the run."""
    content = plain(report)
    for task, entry in zip(report.tasks, content["tasks"], strict=True):
        entry["answers"] = {
            "examples": len(task.predictions),
            "labels": plain(task.predictions.kind.space().get("labels")),
        }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
