"""Run one cell in its own process. The recipe is read from standard input, events are written to standard output.

The process writes a checkpoint and stops when its standard input ends, so a killed study leaves no running processes.
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
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import ManyheadsError, is_on_command_line, on_command_line
from manyheads.plugins import receive
from manyheads.recipe.load import plugins_for
from manyheads.recipe.schema import Recipe
from manyheads.run.atomic import write_json
from manyheads.run.folder import LockedError, RunFolder
from manyheads.studies.cells import Cell, Notify

PROGRESS_EVERY = 0.5
"""Seconds between two progress events."""

LOCK_PATIENCE = 60.0
"""Seconds to wait for the process of a killed study, which may still be writing its checkpoint into the folder."""


def work(cell: Cell, *, keep_models: bool, notify: Notify) -> None:
    """Run a cell to its end, or write its error file. Reports "cell_progress", then "cell_done" or "cell_failed".

    Raises:
        Interrupted: a signal stopped the run. Its folder can be resumed.
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
    drop_weights(cell, keep_models=keep_models)
    average = (results["best"] or results["last"])["average"]
    notify("cell_done", row=cell.row, seed=cell.seed, average=average, seconds=results["seconds"])


def request_of(cell: Cell, *, keep_models: bool) -> dict[str, Any]:
    """Return a cell and what its process must know, as values of JSON."""
    return {
        "row": cell.row,
        "seed": cell.seed,
        "recipe": cell.recipe.model_dump(),
        "folder": str(cell.folder.absolute()),
        "keep_models": keep_models,
        "plugins": plugins_for([cell.recipe]),
        "on_command_line": is_on_command_line(),
    }


@contextlib.contextmanager
def requested(request: Mapping[str, Any]) -> Iterator[Cell]:
    """Give the cell of a request. Messages in the block name what the caller of the study writes."""
    receive(request["plugins"])
    recipe = Recipe.model_validate(request["recipe"])
    with on_command_line(request["on_command_line"]):
        yield Cell(request["row"], request["seed"], recipe, Path(request["folder"]))


def fail(cell: Cell, error: str, kind: str, notify: Notify) -> None:
    """Write the error file of a cell and report "cell_failed"."""
    write_json(cell.error_file, {"error": error, "kind": kind})
    notify("cell_failed", row=cell.row, seed=cell.seed, error=error)


def drop_weights(cell: Cell, *, keep_models: bool) -> None:
    """Remove the weights of a finished run, unless `keep_models` is set. A table needs only its predictions."""
    if not keep_models:
        shutil.rmtree(RunFolder(cell.folder).model, ignore_errors=True)


def _train(cell: Cell, notify: Notify) -> dict[str, Any]:
    # Only the process of a run needs the encoder. The table of a study imports this module as well.
    from manyheads.recipe.assemble import train

    listener = _Reporter(cell, notify)
    deadline = time.monotonic() + LOCK_PATIENCE
    while True:
        try:
            run = train(cell.recipe, cell.folder, resume=True, listeners=[listener], tune_allocator=True)
            return run.results
        except LockedError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


class _Reporter:
    """A listener that reports the progress of a run every `PROGRESS_EVERY` seconds."""

    def __init__(self, cell: Cell, notify: Notify) -> None:
        self._cell, self._notify = cell, notify
        self._total = 0
        self._reported = 0.0

    def __call__(self, event: str, **fields: Any) -> None:
        if event in ("start", "resume"):
            self._total = fields["total_steps"]
            self._report(fields["at"])
        elif event == "step" and time.monotonic() - self._reported > PROGRESS_EVERY:
            self._report(fields["step"])

    def _report(self, step: int) -> None:
        self._reported = time.monotonic()
        self._notify("cell_progress", row=self._cell.row, seed=self._cell.seed, step=step, total=self._total)


def main() -> None:
    """Read one cell from standard input, run it, and write its events to standard output."""
    from manyheads.training.stop import Interrupted

    request = json.loads(sys.stdin.readline())
    events = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # redirect the output of libraries to standard error, so that this stream has only events

    def notify(event: str, **fields: object) -> None:
        with contextlib.suppress(BrokenPipeError):
            print(json.dumps({"event": event, **fields}), file=events, flush=True)

    threading.Thread(target=_stop_with_parent, daemon=True).start()
    with requested(request) as cell:
        try:
            work(cell, keep_models=request["keep_models"], notify=notify)
        except Interrupted as stopped:
            notify("cell_stopped", row=cell.row, seed=cell.seed, step=stopped.step)


def _stop_with_parent() -> None:
    """Stop this process when standard input ends, because the study that started it is gone."""
    while sys.stdin.readline():
        pass
    os.kill(os.getpid(), signal.SIGTERM)


if __name__ == "__main__":
    main()
