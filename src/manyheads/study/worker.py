"""One cell in a process of its own: the recipe comes in on standard input, events go out on standard output.

The process stops by itself, with a checkpoint, when its standard input ends: a study that is killed leaves no
run behind that nobody watches.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from manyheads.errors import ManyheadsError, RunError
from manyheads.recipe.assemble import train
from manyheads.recipe.schema import Recipe
from manyheads.run.atomic import write_json
from manyheads.run.folder import RunFolder
from manyheads.study.cells import Cell, Notify

SAY_EVERY = 0.5
"""Seconds between two reports of progress."""

LOCK_PATIENCE = 60.0
"""Seconds to wait for an earlier process of a killed study to write its checkpoint and let go of the folder."""


def work(cell: Cell, *, keep_models: bool, notify: Notify) -> None:
    """Run a cell to its end, or write why it failed; tells "cell_progress", then "cell_done" or "cell_failed".

    Raises:
        Interrupted: a signal asked to stop; the run's folder can be gone on from.
    """
    cell.error_file.unlink(missing_ok=True)
    try:
        results = _train(cell, notify)
    except ManyheadsError as error:
        fail(cell, str(error), type(error).__name__, notify)
        return
    except Exception as error:
        fail(cell, "".join(traceback.format_exception(error)), type(error).__name__, notify)
        return
    tidy(cell, keep_models=keep_models)
    average = (results["best"] or results["last"])["average"]
    notify("cell_done", row=cell.row, seed=cell.seed, average=average, seconds=results["seconds"])


def fail(cell: Cell, error: str, kind: str, notify: Notify) -> None:
    """Write a cell's error file, and say so."""
    write_json(cell.error_file, {"error": error, "kind": kind})
    notify("cell_failed", row=cell.row, seed=cell.seed, error=error)


def tidy(cell: Cell, *, keep_models: bool) -> None:
    """Drop the weights of a finished run, unless they are to be kept; its predictions are what a table needs."""
    if not keep_models:
        shutil.rmtree(RunFolder(cell.folder).model, ignore_errors=True)


def _train(cell: Cell, notify: Notify) -> dict[str, Any]:
    listener = _Reporter(cell, notify)
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            return train(cell.recipe, cell.folder, resume=True, listeners=[listener]).results
        except RunError as error:
            if "another process" not in error.what or time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class _Reporter:
    """A listener that passes a run's progress on, now and then."""

    def __init__(self, cell: Cell, notify: Notify) -> None:
        self._cell, self._notify = cell, notify
        self._total = 0
        self._said = 0.0

    def __call__(self, event: str, **fields: Any) -> None:
        if event in ("start", "resume"):
            self._total = fields["total_steps"]
            self._tell(fields["at"])
        elif event == "step" and time.monotonic() - self._said > SAY_EVERY:
            self._tell(fields["step"])

    def _tell(self, step: int) -> None:
        self._said = time.monotonic()
        self._notify("cell_progress", row=self._cell.row, seed=self._cell.seed, step=step, total=self._total)


def main() -> None:
    """Read one cell from standard input, run it, and tell of it on standard output."""
    from manyheads.training.stop import Interrupted

    asked = json.loads(sys.stdin.readline())
    recipe = Recipe.model_validate(asked["recipe"])
    cell = Cell(asked["row"], asked["seed"], recipe, Path(asked["folder"]))
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what libraries print goes to standard error: this stream is for events alone

    def notify(event: str, **fields: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"event": event, **fields}), file=said, flush=True)

    threading.Thread(target=_stop_with_parent, daemon=True).start()
    try:
        work(cell, keep_models=asked["keep_models"], notify=notify)
    except Interrupted as stopped:
        notify("cell_stopped", row=cell.row, seed=cell.seed, step=stopped.step)


def _stop_with_parent() -> None:
    """When standard input ends, the study that asked for this run is gone: stop as if it had said so."""
    while sys.stdin.readline():
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
