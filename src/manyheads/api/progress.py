"""What a call from Python shows while it runs: one line that is updated in place, and its warnings.

The words of a run's progress are the same on the command line, which shows them in its own way.
"""

from __future__ import annotations

import importlib
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from types import FrameType
from typing import Any, Protocol

from manyheads.errors import ManyheadsWarning
from manyheads.pages.words import counted
from manyheads.studies.cells import Notify
from manyheads.tasks.written import visible

SMOOTHING = 0.98
"""Weight of the old value in the exponential moving average of a task's loss."""

LINE_EVERY = 30.0
"""Seconds between two lines of a step where lines cannot be updated."""

DRAW_EVERY = 0.1
"""Seconds between two updates of a line."""

Cell = tuple[str, int]
"""A row of a study, and a seed."""


class Output(Protocol):
    """A place that shows the progress of a run."""

    def say(self, text: str) -> None:
        """Show a message, such as the metrics of an evaluation."""

    def warn(self, text: str) -> None:
        """Show a warning."""

    def begin(self, what: str, total: int | None, at: int) -> None:
        """Show that a phase begins: "training" or "pretraining", its number of steps, and the steps made before."""

    def step(self, at: int, total: int | None, rate: str, left: str, losses: str) -> None:
        """Show a finished step."""


class RunProgress:
    """A listener that puts the events of a run and of pretraining into words. Other events are ignored."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._losses: dict[str, float] = {}
        self._total: int | None = None
        self._metrics: Mapping[str, str] = {}

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event."""
        show = getattr(self, f"_on_{event}", None)
        if show is not None:
            show(fields)

    def _on_note(self, fields: Mapping[str, Any]) -> None:
        self._output.say(fields["text"])

    _on_machine = _on_stopped_early = _on_cut = _on_note

    def _on_warning(self, fields: Mapping[str, Any]) -> None:
        self._output.warn(fields["text"])

    def _on_start(self, fields: Mapping[str, Any]) -> None:
        self._metrics = fields["metrics"]
        self._begin("training", fields)

    def _on_resume(self, fields: Mapping[str, Any]) -> None:
        self._output.say(f"resumed after step {fields['at']}")
        self._on_start(fields)

    def _on_step(self, fields: Mapping[str, Any]) -> None:
        for task, loss in fields["losses"].items():
            self._losses[task] = SMOOTHING * self._losses.get(task, loss) + (1 - SMOOTHING) * loss
        losses = "  ".join(f"{task} {loss:.3f}" for task, loss in self._losses.items())
        rate = f"{fields['examples'] / fields['seconds']:.1f} examples/s" if fields["seconds"] else ""
        left = _left(fields["step"], self._total, fields["seconds"])
        self._output.step(fields["step"], self._total, rate, left, losses)

    def _on_evaluation(self, fields: Mapping[str, Any]) -> None:
        values = {task: metrics[self._metrics[task]] for task, metrics in fields["tasks"].items()}
        scores = "  ".join(f"{task} {_number(value)}" for task, value in values.items())
        mark = "  (best so far)" if fields["best"] else ""
        self._output.say(f"epoch {fields['epoch']}: {scores}  average {_number(fields['average'])}{mark}")

    def _on_pretraining_start(self, fields: Mapping[str, Any]) -> None:
        self._begin("pretraining" if fields["phase"] == "encoder" else "new head", fields)

    def _on_pretraining_resume(self, fields: Mapping[str, Any]) -> None:
        self._output.say(f"pretraining resumed after step {fields['at']}")
        self._on_pretraining_start(fields)

    _on_pretraining_step = _on_step

    def _on_pretraining_evaluation(self, fields: Mapping[str, Any]) -> None:
        before = " (before)" if fields["epoch"] == 0 and fields["phase"] == "encoder" else ""
        what = "pretraining" if fields["phase"] == "encoder" else "new head"
        self._output.say(f"{what}, epoch {fields['epoch']:g}{before}: held-out perplexity {fields['perplexity']:.2f}")

    def _begin(self, what: str, fields: Mapping[str, Any]) -> None:
        self._losses, self._total = {}, fields["total_steps"]
        self._output.begin(what, self._total, fields["at"])


STATES = {
    "cell_start": "started",
    "cell_progress": "running",
    "cell_done": "done",
    "cell_failed": "failed",
    "cell_stopped": "stopped",
}
"""What the line of a study says of the run of an event."""


class RunsLeft:
    """The number of finished runs of a study, and an estimate of the time left.

    Args:
        todo: The number of runs to make.
    """

    def __init__(self, todo: int) -> None:
        self._todo = todo
        self._done = 0
        self._share: dict[Cell, float] = {}
        self._began = time.monotonic()

    def note(self, event: str, cell: Cell, fields: Mapping[str, Any]) -> None:
        """Note an event of a run."""
        if event == "cell_progress":
            self._share[cell] = fields["step"] / max(1, fields["total"])
        elif event in ("cell_done", "cell_failed", "cell_stopped"):
            self._share.pop(cell, None)
            self._done += event != "cell_stopped"

    def share(self, cell: Cell) -> float:
        """Return the part of a running run that is finished."""
        return self._share.get(cell, 0.0)

    def __str__(self) -> str:
        finished = self._done + sum(self._share.values())
        cells = f"{self._done} of {counted(self._todo, 'run')}"
        if finished < 0.05 or self._done == self._todo:
            return cells
        spent = time.monotonic() - self._began
        return f"{cells}, about {spent / finished * (self._todo - finished) / 60:.0f} min left"


class StudyProgress:
    """A notifier of a study that shows how many runs are finished, and warns of each one that failed.

    Args:
        output: Where it is shown, or None.
        todo: The number of runs to make.
        notify: The notifier of the caller, which gets every event first.
    """

    def __init__(self, output: Output | None, todo: int, notify: Notify) -> None:
        self._output, self._notify, self._left = output, notify, RunsLeft(todo)

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event."""
        self._notify(event, **fields)
        if event == "cell_failed":
            lines = str(fields.get("error", "")).strip().splitlines() or [""]
            # An error that lists rows has them in the next lines.
            reason = f"{lines[0]} {lines[1].strip()}" if lines[0].endswith(":") and len(lines) > 1 else lines[0]
            warn(f"the run of row {fields['row']} with seed {fields['seed']} failed: {reason}")
        if self._output is None:
            return
        if event in ("start", "note"):
            self._output.say(fields["text"])
        if event in ("start", "note", "table"):
            return
        self._left.note(event, (fields["row"], fields["seed"]), fields)
        self._output.say(f"{self._left}  |  {STATES[event]}: {fields['row']}, seed {fields['seed']}")


class Line(Protocol):
    """A line that can be replaced."""

    def show(self, text: str) -> None:
        """Replace the text of the line."""

    def close(self) -> None:
        """Leave the line as it is. What is printed next is below it."""


class _TerminalLine:
    """A line of a terminal, on standard error."""

    def __init__(self) -> None:
        self._shown = False

    def show(self, text: str) -> None:
        width = shutil.get_terminal_size().columns - 1
        sys.stderr.write(f"\r{text[:width]}\x1b[K")
        sys.stderr.flush()
        self._shown = True

    def close(self) -> None:
        if self._shown:
            sys.stderr.write("\n")
            sys.stderr.flush()


class _NotebookLine:
    """An output of a notebook's cell, which every front end of Jupyter updates in place."""

    def __init__(self) -> None:
        self._handle: Any = None

    def show(self, text: str) -> None:
        display: Any = importlib.import_module("IPython.display").display
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)

    def close(self) -> None:
        """Nothing is to be done: each output has a place of its own."""


class _Live:
    """An output that shows everything in one line that is updated in place."""

    def __init__(self, line: Line) -> None:
        self._line, self._what, self._state, self._message, self._drawn = line, "", "", "", 0.0

    def say(self, text: str) -> None:
        self._message = text
        self._draw()

    def warn(self, text: str) -> None:
        """Warnings are shown by `warned`."""

    def begin(self, what: str, total: int | None, at: int) -> None:
        self._what, self._state, self._message = what, f"{what} {at}/{total}", ""
        self._draw()

    def step(self, at: int, total: int | None, rate: str, left: str, losses: str) -> None:
        parts = [f"{self._what} {at}/{total}", rate, left if at != total else "", f"loss {losses}"]
        self._state = "  ".join(part for part in parts if part)
        if at == total or time.monotonic() - self._drawn > DRAW_EVERY:
            self._draw()

    def _draw(self) -> None:
        self._drawn = time.monotonic()
        self._line.show(visible("  |  ".join(part for part in (self._state, self._message) if part)))


class _Lines:
    """An output that prints a line per message, and one for a step from time to time."""

    def __init__(self, write: Callable[[str], None]) -> None:
        self._write, self._last = write, time.monotonic()

    def say(self, text: str) -> None:
        self._write(text)

    def warn(self, text: str) -> None:
        """Warnings are shown by `warned`."""

    def begin(self, what: str, total: int | None, at: int) -> None:
        del what, total, at

    def step(self, at: int, total: int | None, rate: str, left: str, losses: str) -> None:
        if time.monotonic() - self._last > LINE_EVERY:
            self._last = time.monotonic()
            self._write(step_line(at, total, rate, left, losses))


def step_line(at: int, total: int | None, rate: str, left: str, losses: str) -> str:
    """Return a finished step as a line."""
    return f"step {at}/{total}  {rate}  {left}  loss {losses}"


@contextmanager
def shown(progress: bool | None) -> Iterator[Output | None]:
    """Give the output on which the progress of the block is shown, or None.

    Args:
        progress: whether it is shown. None: in a notebook, and if standard error is a terminal.
    """
    in_notebook = _in_notebook()
    terminal = sys.stderr is not None and sys.stderr.isatty()
    if progress is False or (progress is None and not in_notebook and not terminal):
        yield None
    elif not in_notebook and not terminal:
        yield _Lines(lambda text: print(visible(text), file=sys.stderr, flush=True))  # noqa: T201
    else:
        line: Line = _NotebookLine() if in_notebook else _TerminalLine()
        try:
            yield _Live(line)
        finally:
            line.close()


def _in_notebook() -> bool:
    """Return whether a kernel of Jupyter runs this process. IPython in a terminal has no kernel."""
    get = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return get is not None and hasattr(get(), "kernel")


def warned(event: str, **fields: Any) -> None:
    """Warn of an event of a run that may need attention. This is a listener."""
    if event == "warning":
        warn(fields["text"])


def warn(text: str, kind: type[Warning] = ManyheadsWarning) -> None:
    """Warn at the line of the program that called manyheads, each time."""
    frame = _caller()
    module = str(frame.f_globals.get("__name__", ""))
    # Without a registry of its own, Python would show the same warning of a second call only once.
    warnings.warn_explicit(text, kind, frame.f_code.co_filename, frame.f_lineno, module=module, registry={})


def deprecated(old: str, new: str, *, since: str, removed: str) -> None:
    """Warn of a public name that has another name by now. The reference has the rule for deprecations.

    Args:
        old: The name that was used.
        new: What to use in its place.
        since: The version that deprecated it.
        removed: The version that removes it.
    """
    warn(f"{old} is deprecated since version {since}, and version {removed} removes it; use {new}", DeprecationWarning)


def _caller() -> FrameType:
    """Return the innermost frame outside of manyheads, and outside of contextlib, whose decorators are between."""
    frame = sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in (
        "manyheads",
        "contextlib",
    ):
        frame = frame.f_back
    return frame


def _left(step: int, total: int | None, seconds: float) -> str:
    if total is None or step == 0:
        return ""
    return f"{seconds / step * (total - step) / 60:.1f} min left"


def _number(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.3f}"
