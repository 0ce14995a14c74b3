"""A tracker that writes one line per call into the run folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import manyheads
from manyheads.training.listener import Listener
from manyheads.training.tracking import End, TrackerEntry


class Lines:
    def __init__(self, folder: Path, notify: Listener) -> None:
        del notify
        self._path = folder / "numbers.jsonl"

    def begin(self, step: int) -> None:
        if step == 0:
            self._path.write_text("")

    def write(self, values: Mapping[str, float], step: int) -> None:
        with self._path.open("a") as file:
            file.write(json.dumps({"step": step, **values}) + "\n")

    def flush(self) -> None:
        pass

    def close(self, end: End) -> None:
        pass


manyheads.register(TrackerEntry("lines", Lines))
