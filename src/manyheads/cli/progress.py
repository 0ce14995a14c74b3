"""The progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from manyheads.api.progress import LINE_EVERY, RunProgress, step_line


class ProgressDisplay:
    """A listener that shows the rate, the time left and the loss of each task, and prints a line per evaluation."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=24),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(compact=True),
            TextColumn("{task.fields[losses]}", style="cyan"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._id = self._bar.add_task("training", total=None, rate="", losses="", visible=False)
        self._last_line = time.monotonic()
        self._progress = RunProgress(self)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event."""
        self._progress(event, **fields)

    def say(self, text: str) -> None:
        """Print a message."""
        self._console.print(text, markup=False, highlight=False)

    def warn(self, text: str) -> None:
        """Print a warning."""
        self._console.print(f"warning: {text}", style="yellow", markup=False, highlight=False)

    def begin(self, what: str, total: int | None, at: int) -> None:
        """Begin a bar."""
        self._bar.reset(self._id, total=total, completed=at, visible=True, description=what)

    def step(self, at: int, total: int | None, rate: str, left: str, losses: str) -> None:
        """Advance the bar, or print a line from time to time."""
        self._bar.update(self._id, completed=at, rate=rate, losses=losses)
        if not self._console.is_terminal and time.monotonic() - self._last_line > LINE_EVERY:
            self._last_line = time.monotonic()
            self.say(step_line(at, total, rate, left, losses))
