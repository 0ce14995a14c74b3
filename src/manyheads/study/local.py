"""Running cells in processes of this machine, several side by side."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from manyheads.study.cells import Cell, Notify
from manyheads.study.worker import fail
from manyheads.training.stop import StopFlag

TAIL = 40
"""Lines of a process's standard error that are kept, for one that dies without a word."""


def run_local(cells: Sequence[Cell], *, jobs: int, notify: Notify, keep_models: bool, devices: int = 0) -> bool:
    """Run every cell once, `jobs` at a time; True where all came to an end, False where a signal stopped the study.

    A cell that fails leaves its error file and the others go on. Tells "cell_start", "cell_progress", "cell_done" and
    "cell_failed". `devices`: the CUDA devices to spread over, 0 to leave them alone.
    """
    return _Local(deque(cells), jobs, notify, keep_models, devices).run()


@dataclass
class _Process:
    """A worker, the slot that it has, and the end of what it wrote to its standard error."""

    cell: Cell
    slot: int
    child: subprocess.Popen[str]
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))
    ended: bool = False


class _Local:
    """The processes of one call: those that run, and the queue of what they say."""

    def __init__(self, waiting: deque[Cell], jobs: int, notify: Notify, keep_models: bool, devices: int) -> None:
        self._waiting, self._notify, self._keep_models, self._devices = waiting, notify, keep_models, devices
        self._free = list(range(jobs))
        self._running: list[_Process] = []
        self._said: queue.SimpleQueue[tuple[_Process, str | None]] = queue.SimpleQueue()
        self._stop = StopFlag()

    def run(self) -> bool:
        with self._stop.listening():
            try:
                while self._running or (self._waiting and not self._stop):
                    while self._waiting and self._free and not self._stop:
                        self._start(self._waiting.popleft())
                    self._hear()
                    if self._stop:
                        self._ask_to_stop()
            finally:
                for process in self._running:
                    process.child.kill()
        return not self._stop

    def _start(self, cell: Cell) -> None:
        slot = self._free.pop(0)
        threads = str(cell.recipe.threads or 1)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if self._devices:
            environment["CUDA_VISIBLE_DEVICES"] = str(slot % self._devices)
        child = subprocess.Popen(
            [sys.executable, "-m", "manyheads.study.worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            # A Ctrl-C at the terminal reaches the study alone, which passes it on once.
            start_new_session=True,
        )
        process = _Process(cell, slot, child)
        self._running.append(process)
        self._notify("cell_start", row=cell.row, seed=cell.seed)
        asked = {
            "row": cell.row,
            "seed": cell.seed,
            "recipe": cell.recipe.model_dump(),
            "folder": str(cell.folder.absolute()),
            "keep_models": self._keep_models,
        }
        assert child.stdin is not None
        child.stdin.write(json.dumps(asked) + "\n")
        child.stdin.flush()
        errors = threading.Thread(target=self._keep_errors, args=(process,), daemon=True)
        errors.start()
        threading.Thread(target=self._listen, args=(process, errors), daemon=True).start()

    @staticmethod
    def _keep_errors(process: _Process) -> None:
        assert process.child.stderr is not None
        process.errors.extend(process.child.stderr)

    def _listen(self, process: _Process, errors: threading.Thread) -> None:
        assert process.child.stdout is not None
        for line in process.child.stdout:
            self._said.put((process, line))
        process.child.wait()
        errors.join()
        self._said.put((process, None))

    def _hear(self) -> None:
        """Take one word from the processes; wakes now and then to see whether it was asked to stop."""
        try:
            process, line = self._said.get(timeout=0.2)
        except queue.Empty:
            return
        if line is None:
            self._end(process)
            return
        said = json.loads(line)
        event = said.pop("event")
        process.ended = process.ended or event in ("cell_done", "cell_failed", "cell_stopped")
        self._notify(event, **said)

    def _end(self, process: _Process) -> None:
        # One that was asked to stop before it began to train leaves without a word, and has not failed.
        if not process.ended and not self._stop:
            last = "".join(process.errors)
            status = process.child.returncode
            how = f"by signal {-status}" if status < 0 else f"with status {status}"
            fail(process.cell, f"the process of this run ended {how}\n{last}".strip(), "ProcessDied", self._notify)
        for stream in (process.child.stdin, process.child.stdout, process.child.stderr):
            if stream is not None:
                stream.close()
        self._running.remove(process)
        self._free.append(process.slot)

    def _ask_to_stop(self) -> None:
        """Ask every process once to write a checkpoint and leave."""
        for process in self._running:
            if process.child.stdin is not None and not process.child.stdin.closed:
                process.child.stdin.close()
