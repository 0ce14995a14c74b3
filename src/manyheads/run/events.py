"""The event log of a run: one JSON object a line, appended and flushed as things happen."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from manyheads.run.atomic import explained, replacing


class EventLog:
    """Appends events to `events.jsonl`; a line is whole or absent for every reader that skips a broken last line."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _end_last_line(path)
        with explained(path):
            self._file: IO[str] = path.open("a", encoding="utf-8")

    def write(self, event: str, **fields: object) -> None:
        """Append one event with the wall-clock time (seconds since the epoch)."""
        line = json.dumps({"event": event, **fields, "time": round(time.time(), 3)}, ensure_ascii=False)
        with explained(self.path):
            self._file.write(line + "\n")
            self._file.flush()

    def sync(self) -> None:
        """Ask the disk to hold all events so far."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close; further writes are an error."""
        self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def read_events(path: Path) -> Iterator[dict[str, object]]:
    """The whole events of a log, in order; a last line that a kill left broken is passed over."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for line in file:
            try:
                event = json.loads(line)
            except json.JSONDecodeError:
                continue
            if isinstance(event, Mapping):
                yield dict(event)


def cut_after(path: Path, step: int) -> None:
    """Drop every event from the first one of a step past `step` on: those steps will be done again."""
    kept: list[str] = []
    for event in read_events(path):
        number = event.get("step")
        if isinstance(number, int) and number > step:
            break
        kept.append(json.dumps(event, ensure_ascii=False) + "\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8")


def _end_last_line(path: Path) -> None:
    """Give a last line that a kill left unfinished its end, so that the next event starts a line of its own."""
    if path.exists() and path.stat().st_size:
        with path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
