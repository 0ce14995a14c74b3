"""Read the event log of a run: training losses, times, truncated texts, rejected rows and warnings."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manyheads.reports.keys import stored_as
from manyheads.run.events import read_events

REJECTED_SHOWN = 20


@dataclass(frozen=True)
class Rejected:
    """A row of a data file that the run skipped."""

    task: str
    file: str
    line: int
    reason: str


@dataclass
class Log:
    """The summary of an event log. Times are in seconds.

    `losses[task]`: (epoch, mean training loss since the previous evaluation). `rejected`: the first rejected rows.
    `rejected_count`: the number of all rejected rows, by task. `truncated`: messages about truncated texts. `resumed`:
    how often the run was resumed.
    """

    losses: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    rejected: list[Rejected] = field(default_factory=list)
    rejected_count: dict[str, int] = field(default_factory=dict)
    truncated: list[str] = field(default_factory=list, metadata=stored_as("cut"))
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    evaluation_seconds: float = 0.0
    wall_seconds: float = 0.0
    resumed: int = 0


def read_log(file: Path) -> Log:
    """Summarise events.jsonl. A missing file gives an empty summary."""
    log = Log()
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    first: float | None = None
    damaged = 0
    for event in read_events(file):
        time = event.get("time")
        if isinstance(time, int | float):
            first = float(time) if first is None else first
            log.wall_seconds = float(time) - first
        try:
            _take(log, sums, event)
        except (KeyError, TypeError, ValueError, AttributeError, ZeroDivisionError):
            damaged += 1
    if damaged:
        log.warnings.append(f"{damaged:,} damaged lines of {file.name} are not counted")
    log.losses = dict(log.losses)
    return log


def _take(log: Log, sums: dict[str, list[float]], event: Mapping[str, Any]) -> None:
    kind = event.get("event")
    if kind == "step":
        for task, loss in event["losses"].items():
            sums[task][0] += float(loss)
            sums[task][1] += 1
    elif kind == "evaluation":
        for task, (total, count) in sums.items():
            log.losses[task].append((float(event["epoch"]), total / count))
        sums.clear()
        log.evaluation_seconds += float(event.get("evaluation_seconds", 0.0))
    elif kind == "rejected_row":
        task = str(event["task"])
        log.rejected_count[task] = log.rejected_count.get(task, 0) + 1
        if len(log.rejected) < REJECTED_SHOWN:
            log.rejected.append(Rejected(task, str(event["file"]), int(event["line"]), str(event["reason"])))
    elif kind == "resume":
        log.resumed += 1
    elif kind in ("cut", "warning", "note"):
        {"cut": log.truncated, "warning": log.warnings, "note": log.notes}[kind].append(str(event["text"]))
