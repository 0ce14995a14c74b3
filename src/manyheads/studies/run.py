"""Run a study: missing and unfinished cells are run, finished and failed ones are kept.

Cells are run in parallel processes on this machine, or by another runner.
"""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from manyheads.errors import RunError, argument, did_you_mean
from manyheads.pages.words import counted
from manyheads.recipe.load import plugins_for
from manyheads.run.folder import only_writer
from manyheads.studies.cells import Cell, Notify, State, cells_of, state_of
from manyheads.studies.schema import StudyPlan
from manyheads.studies.worker import drop_weights, fail, request_of
from manyheads.training.stop import StopFlag

Runner = Callable[[Sequence[Cell], Notify], int]
"""Runs cells and reports events. Returns 0 if every run ended, or the number of the signal that stopped them."""


@dataclass(frozen=True)
class Survey:
    """The cells of a study, or of some of its rows, with their states."""

    cells: tuple[Cell, ...]
    states: tuple[State, ...]

    @property
    def todo(self) -> tuple[Cell, ...]:
        """The cells to run. Unfinished ones come first, because they may have checkpoints."""
        unfinished = [cell for cell, state in zip(self.cells, self.states, strict=True) if state == "unfinished"]
        missing = [cell for cell, state in zip(self.cells, self.states, strict=True) if state == "missing"]
        return (*unfinished, *missing)


def survey(plan: StudyPlan, out: Path, *, only: Sequence[str] = (), retry_failed: bool = False) -> Survey:
    """Determine the state of each cell.

    Args:
        plan: the study.
        out: the folder of the study.
        only: the names of the rows to include, together with their twins and rows with the same recipe. Default: all.
        retry_failed: treat failed cells as unfinished.

    Raises:
        RunError: a row does not exist, or a folder contains a run of another recipe.
    """
    wanted = _rows(plan, only)
    cells = tuple(cell for cell in cells_of(plan, out) if cell.row in wanted)
    states: list[State] = []
    for cell in cells:
        state = state_of(cell)
        if state == "failed" and retry_failed:
            state = "unfinished"
        states.append(state)
    return Survey(cells, tuple(states))


def run_study(plan: StudyPlan, out: Path, runner: Runner, notify: Notify, survey: Survey) -> int:
    """Run the cells that a survey lists as unfinished or missing.

    Return 0 if every run ended, finished or failed, and otherwise the number of the signal that stopped the study.

    Raises:
        RunError: another process is running this study.
        PluginError: a member was registered by the program itself, which a process of a run cannot import.
    """
    plugins_for([cell.recipe for cell in survey.todo])
    with only_writer(out / ".lock", "another process is running this study", out):
        for cell, state in zip(survey.cells, survey.states, strict=True):
            if state == "done":
                drop_weights(cell, keep_models=plan.keep_models)
        return runner(survey.todo, notify)


def runner_for(plan: StudyPlan, jobs: int | None, ray: str | None, stop: StopFlag) -> tuple[Runner, str]:
    """Return what runs the cells of a study, and a description of it.

    Args:
        plan: the study.
        jobs: the number of parallel runs on this machine. None: `default_jobs`.
        ray: the address of a Ray cluster that runs the cells instead, or None.
        stop: the flag that signals set.
    """
    each = f"{counted(max(row.recipe.threads or 1 for row in plan.rows), 'thread')} per run"
    if ray is not None:
        from manyheads.studies.cluster import run_on_ray

        runner = partial(run_on_ray, address=ray, keep_models=plan.keep_models, stop=stop)
        return lambda cells, notify: runner(cells, notify=notify), f"on the Ray cluster {ray}, {each}"
    devices = 0
    if any(row.recipe.device != "cpu" for row in plan.rows):
        import torch

        devices = torch.cuda.device_count()
    count = jobs or default_jobs(plan, devices)
    return local_runner(plan, count, devices, stop), f"{counted(count, 'parallel run')}, {each}"


def opening(plan: StudyPlan, survey: Survey, how: str) -> str:
    """Return what a study will run, as a line. `how`: the description of its runner."""
    states = list(survey.states)
    parts = [f"{states.count('done')} done"]
    parts += [f"{states.count('failed')} failed"] if "failed" in states else []
    names = {cell.row for cell in survey.cells}
    twins = sum(row.name in names and row.twin_of is not None for row in plan.rows)
    rows = counted(len(names) - twins, "row")
    if twins:
        rows = f"({rows} and {counted(twins, 'single-task twin')})"
    counts = f"{rows} x {counted(len(plan.seeds), 'seed')} = {counted(len(states), 'run')}"
    return f"{plan.title}: {counts}, {', '.join(parts)}, {len(survey.todo)} to run, {how}"


def local_runner(plan: StudyPlan, jobs: int, devices: int, stop: StopFlag | None = None) -> Runner:
    """Return a runner that uses processes on this machine. `stop`: the flag that signals set."""

    def run(cells: Sequence[Cell], notify: Notify) -> int:
        return run_local(cells, jobs=jobs, notify=notify, keep_models=plan.keep_models, devices=devices, stop=stop)

    return run


def default_jobs(plan: StudyPlan, devices: int) -> int:
    """Return the default number of parallel runs: one per CUDA device, or cores divided by threads per run."""
    threads = max(row.recipe.threads or 1 for row in plan.rows)
    return devices or max(1, len(os.sched_getaffinity(0)) // threads)


def _rows(plan: StudyPlan, only: Sequence[str]) -> set[str]:
    names = [row.name for row in plan.rows]
    for name in only:
        if name not in names:
            hint = did_you_mean(name, names)
            where, allowed = argument("only"), ", ".join(names)
            raise RunError("the study has no such row", where=where, found=name, allowed=allowed, hint=hint)
    chosen = [row for row in plan.rows if not only or row.name in only or (row.twin_of or ("",))[0] in only]
    return {row.same_as or row.name for row in chosen}


TAIL = 40
"""Lines of standard error that are kept, for processes that die without an event."""


def run_local(
    cells: Sequence[Cell],
    *,
    jobs: int,
    notify: Notify,
    keep_models: bool,
    devices: int = 0,
    stop: StopFlag | None = None,
) -> int:
    """Run every cell once. Return 0 if every run ended or failed, or the number of the signal that stopped them.

    If a cell fails, its error is written to its error file and the other cells continue.

    Args:
        cells: the runs.
        jobs: number of parallel processes.
        notify: receives the events "cell_start", "cell_progress", "cell_done", "cell_failed" and "cell_stopped".
        keep_models: keep the weights of finished runs.
        devices: number of CUDA devices over which the processes are distributed. 0: do not assign devices.
        stop: the flag that signals set during the call. Default: a new one.
    """
    return _Local(deque(cells), jobs, notify, keep_models, devices, StopFlag() if stop is None else stop).run()


def worker_command() -> tuple[str, ...]:
    """Return the command of a worker. -P: Python does not import from the current folder, which may be of others."""
    return (sys.executable, "-P", "-m", "manyheads.studies.worker")


@dataclass
class _Process:
    """A worker process, its slot, and the last lines of its standard error."""

    cell: Cell
    slot: int
    child: subprocess.Popen[str]
    errors: deque[str] = field(default_factory=lambda: deque(maxlen=TAIL))
    ended: bool = False
    listening: threading.Thread | None = None

    def end(self) -> None:
        """End the process at once, and wait until nothing of it is left."""
        self.child.kill()
        self.child.wait()
        if self.listening is not None:
            self.listening.join()
        self.close()

    def close(self) -> None:
        """Close the pipes."""
        for stream in (self.child.stdin, self.child.stdout, self.child.stderr):
            if stream is not None:
                stream.close()


class _Local:
    """The processes of one call, and the queue of their events."""

    def __init__(
        self, waiting: deque[Cell], jobs: int, notify: Notify, keep_models: bool, devices: int, stop: StopFlag
    ) -> None:
        self._waiting, self._notify, self._keep_models, self._devices = waiting, notify, keep_models, devices
        self._free = list(range(jobs))
        self._running: list[_Process] = []
        self._events: queue.SimpleQueue[tuple[_Process, str | None]] = queue.SimpleQueue()
        self._stop = stop

    def run(self) -> int:
        """Run the cells. Return 0, or the number of the signal that stopped them."""
        with self._stop.listening():
            try:
                while self._running or (self._waiting and not self._stop):
                    while self._waiting and self._free and not self._stop:
                        self._start(self._waiting.popleft())
                    self._handle_event()
                    if self._stop:
                        self._ask_to_stop()
            finally:
                for process in self._running:
                    process.end()
        return self._stop.signal_number or 0

    def _start(self, cell: Cell) -> None:
        slot = self._free.pop(0)
        threads = str(cell.recipe.threads or 1)
        environment = {**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads}
        if self._devices:
            environment["CUDA_VISIBLE_DEVICES"] = str(slot % self._devices)
        child = subprocess.Popen(
            worker_command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=environment,
            # Ctrl-C at the terminal reaches only the process of the study, which stops the workers once.
            start_new_session=True,
        )
        process = _Process(cell, slot, child)
        self._running.append(process)
        self._notify("cell_start", row=cell.row, seed=cell.seed)
        request = request_of(cell, keep_models=self._keep_models)
        assert child.stdin is not None
        child.stdin.write(json.dumps(request) + "\n")
        child.stdin.flush()
        errors = threading.Thread(target=self._keep_errors, args=(process,), daemon=True)
        errors.start()
        process.listening = threading.Thread(target=self._listen, args=(process, errors), daemon=True)
        process.listening.start()

    @staticmethod
    def _keep_errors(process: _Process) -> None:
        assert process.child.stderr is not None
        process.errors.extend(process.child.stderr)

    def _listen(self, process: _Process, errors: threading.Thread) -> None:
        assert process.child.stdout is not None
        for line in process.child.stdout:
            self._events.put((process, line))
        process.child.wait()
        errors.join()
        self._events.put((process, None))

    def _handle_event(self) -> None:
        """Handle one event, or return after a short wait without one, so that the caller can check for a stop."""
        try:
            process, line = self._events.get(timeout=0.2)
        except queue.Empty:
            return
        if line is None:
            self._end(process)
            return
        fields = json.loads(line)
        event = fields.pop("event")
        process.ended = process.ended or event in ("cell_done", "cell_failed", "cell_stopped")
        self._notify(event, **fields)

    def _end(self, process: _Process) -> None:
        # A process that is stopped before training sends no event. It has not failed.
        if not process.ended and not self._stop:
            last = "".join(process.errors)
            status = process.child.returncode
            how = f"by signal {-status}" if status < 0 else f"with status {status}"
            fail(process.cell, f"the process of this run ended {how}\n{last}".strip(), "ProcessDied", self._notify)
        process.close()
        self._running.remove(process)
        self._free.append(process.slot)

    def _ask_to_stop(self) -> None:
        """Close the standard input of every process, which makes it write a checkpoint and exit."""
        for process in self._running:
            if process.child.stdin is not None and not process.child.stdin.closed:
                process.child.stdin.close()
