"""What a run's event log tells: losses between evaluations, times, and what was cut, rejected or warned of."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manyheads.run.events import read_events

REJECTED_SHOWN = 20


@dataclass(frozen=True)
class Rejected:
    """A row that was passed over."""

    task: str
    file: str
    line: int
    reason: str


@dataclass
class Log:
    """`losses[task]`: (epoch, mean training loss since the evaluation before). Times are in seconds.

    `rejected`: the first ones; `rejected_count` has all, by task. `resumed`: how often the run went on after a stop.
    """

    losses: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))
    rejected: list[Rejected] = field(default_factory=list)
    rejected_count: dict[str, int] = field(default_factory=dict)
    cut: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    evaluation_seconds: float = 0.0
    wall_seconds: float = 0.0
    resumed: int = 0


def read_log(file: Path) -> Log:
    """The log in events.jsonl; an empty one where there is no file."""
    log = Log()
    sums: dict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
    first: float | None = None
    for event in read_events(file):
        time = event.get("time")
        if isinstance(time, int | float):
            first = float(time) if first is None else first
            log.wall_seconds = float(time) - first
        _take(log, sums, event)
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
        {"cut": log.cut, "warning": log.warnings, "note": log.notes}[kind].append(str(event["text"]))
