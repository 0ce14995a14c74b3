"""The ledger: one JSON line per trial, appended when the trial ends. A trial in the ledger is not repeated."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

SAME, ERROR, TRACEBACK, HANG, WRONG = "same", "clear error", "traceback", "hang", "silently wrong"

OUTCOMES = (SAME, ERROR, TRACEBACK, HANG, WRONG)

FAULTS = (TRACEBACK, HANG, WRONG)
"""What no trial may end with."""


@dataclass(frozen=True)
class Trial:
    """One trial: its id, the row of the table that it counts in, and the values that repeat it."""

    id: str
    group: str
    values: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Verdict:
    """How a trial ended: the number of each outcome (one trial may send many requests) and what was found."""

    counts: Mapping[str, int]
    details: Sequence[str] = ()

    @property
    def faults(self) -> int:
        return sum(self.counts.get(outcome, 0) for outcome in FAULTS)


def verdict(outcome: str, *details: str) -> Verdict:
    """Return the verdict of a trial with one outcome."""
    return Verdict({outcome: 1}, details)


class Ledger:
    """The file of trials. Several processes may append to it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)

    def entries(self) -> Iterator[dict[str, Any]]:
        """Yield the entries in order. The last entry of a trial counts. A line that a kill cut off is skipped."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                yield json.loads(line)
            except ValueError:
                continue

    def last(self) -> dict[str, dict[str, Any]]:
        """Return the last entry of each trial by id."""
        return {entry["id"]: entry for entry in self.entries()}

    def add(self, trial: Trial, end: Verdict, seconds: float) -> None:
        """Append a trial in one write."""
        entry = {
            "id": trial.id,
            "group": trial.group,
            "values": trial.values,
            "counts": dict(end.counts),
            "details": [detail[-4000:] for detail in end.details],
            "seconds": round(seconds, 3),
        }
        line = "\n" if self._is_cut() else ""
        line += json.dumps(entry) + "\n"
        handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            os.write(handle, line.encode())
        finally:
            os.close(handle)

    def _is_cut(self) -> bool:
        content = self.path.read_bytes()[-1:] if self.path.exists() else b""
        return content not in (b"", b"\n")

    def totals(self) -> dict[str, Counter[str]]:
        """Return the number of each outcome by group."""
        found: dict[str, Counter[str]] = {}
        for entry in self.last().values():
            found.setdefault(entry["group"], Counter()).update(entry["counts"])
        return found
