"""The event log of a run: JSON lines, each appended and flushed when its event happens."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from manyheads.errors import RunError
from manyheads.run.atomic import explained, replacing


class EventLog:
    """Append events to `events.jsonl`. A process that is killed damages at most the last line, which readers skip."""

    def __init__(self, path: Path) -> None:
        self.path = path
        _end_last_line(path)
        with explained(path):
            self._file: IO[str] = path.open("a", encoding="utf-8")

    def write(self, event: str, **fields: object) -> None:
        """Append one event with its time, in seconds since 1970-01-01 UTC."""
        line = json.dumps({"event": event, **fields, "time": round(time.time(), 3)}, ensure_ascii=False)
        with explained(self.path):
            self._file.write(line + "\n")
            self._file.flush()

    def sync(self) -> None:
        """Flush all events to the disk."""
        with explained(self.path):
            self._file.flush()
            os.fsync(self._file.fileno())

    def close(self) -> None:
        """Flush and close the file. Later writes raise ValueError."""
        with explained(self.path):
            self._file.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # An event that could not be written is still in the buffer, and closing the file fails again.
        with contextlib.suppress(RunError) if error is not None else contextlib.nullcontext():
            self.close()


def read_events(path: Path) -> Iterator[dict[str, object]]:
    """Yield the events of a log in order. Lines that are not JSON, such as a last line cut off by a kill, are skipped.

    A missing file has no events.

    Raises:
        RunError: The file cannot be read, for example because it is a folder.
    """
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            for line in file:
                try:
                    event = json.loads(line)
                except (ValueError, RecursionError):
                    continue
                if isinstance(event, Mapping):
                    yield dict(event)
    except FileNotFoundError:
        return
    except OSError as error:
        hint = "remove what is in the place of the event log"
        raise RunError("the event log cannot be read", where=str(path), found=error.strerror, hint=hint) from error


def cut_after(path: Path, step: int, *, evaluated: int | None = None) -> bool:
    """Drop all events from the first one of a step after `step`. A resumed run repeats those steps.

    `evaluated`: the step of the last evaluation that the checkpoint contains. Events from a later evaluation on are
    dropped, too, because it is repeated.

    Return whether the log has each step up to `step` once, which it does unless it was damaged.
    """
    kept: list[str] = []
    steps = []
    for event in read_events(path):
        number = event.get("step")
        if isinstance(number, int) and number > step:
            break
        repeated = evaluated is not None and str(event.get("event")).endswith("evaluation")
        if repeated and isinstance(number, int) and number > (evaluated or 0):
            break
        if event.get("event") == "finish":  # written by a process that was killed before its results were
            break
        if str(event.get("event")).endswith("step"):
            steps.append(number)
        kept.append(json.dumps(event, ensure_ascii=False) + "\n")
    with replacing(path) as temporary:
        temporary.write_text("".join(kept), encoding="utf-8", errors="replace")
    return steps == list(range(1, step + 1))


def _end_last_line(path: Path) -> None:
    """End an unfinished last line, so that the next event starts on a new line."""
    if path.exists() and path.stat().st_size:
        with explained(path), path.open("rb+") as file:
            file.seek(-1, os.SEEK_END)
            if file.read(1) != b"\n":
                file.write(b"\n")
