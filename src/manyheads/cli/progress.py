"""The progress of a run: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

LINE_EVERY = 30.0
"""Seconds between two plain lines if the output is not a terminal."""

SMOOTHING = 0.98
"""Weight of the old value in the exponential moving average of a task's loss."""


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
        self._losses: dict[str, float] = {}
        self._total: int | None = None
        self._metrics: Mapping[str, str] = {}
        self._last_line = time.monotonic()

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()

    def __call__(self, event: str, **fields: Any) -> None:
        """Show one event. Events without a method `_on_EVENT` are ignored."""
        show = getattr(self, f"_on_{event}", None)
        if show is not None:
            show(fields)

    def _on_note(self, fields: Mapping[str, Any]) -> None:
        self._console.print(fields["text"], markup=False, highlight=False)

    def _on_machine(self, fields: Mapping[str, Any]) -> None:
        self._on_note(fields)

    def _on_warning(self, fields: Mapping[str, Any]) -> None:
        self._console.print(f"warning: {fields['text']}", style="yellow", markup=False, highlight=False)

    def _on_stopped_early(self, fields: Mapping[str, Any]) -> None:
        self._on_note(fields)

    def _on_cut(self, fields: Mapping[str, Any]) -> None:
        self._on_note(fields)

    def _on_start(self, fields: Mapping[str, Any]) -> None:
        self._total = fields["total_steps"]
        self._metrics = fields["metrics"]
        self._losses = {}
        self._bar.reset(self._id, total=self._total, completed=fields["at"], visible=True, description="training")

    def _on_resume(self, fields: Mapping[str, Any]) -> None:
        self._line(f"resumed after step {fields['at']}")
        self._on_start(fields)

    def _on_step(self, fields: Mapping[str, Any]) -> None:
        for task, loss in fields["losses"].items():
            self._losses[task] = SMOOTHING * self._losses.get(task, loss) + (1 - SMOOTHING) * loss
        losses = "  ".join(f"{task} {loss:.3f}" for task, loss in self._losses.items())
        rate = f"{fields['examples'] / fields['seconds']:.1f} examples/s" if fields["seconds"] else ""
        self._bar.update(self._id, completed=fields["step"], rate=rate, losses=losses)
        if not self._console.is_terminal and time.monotonic() - self._last_line > LINE_EVERY:
            self._last_line = time.monotonic()
            left = _left(fields["step"], self._total, fields["seconds"])
            self._line(f"step {fields['step']}/{self._total}  {rate}  {left}  loss {losses}")

    def _on_evaluation(self, fields: Mapping[str, Any]) -> None:
        values = {task: metrics[self._metrics[task]] for task, metrics in fields["tasks"].items()}
        scores = "  ".join(f"{task} {_number(value)}" for task, value in values.items())
        mark = "  (best so far)" if fields["best"] else ""
        self._line(f"epoch {fields['epoch']}: {scores}  average {_number(fields['average'])}{mark}")

    def _on_pretraining_start(self, fields: Mapping[str, Any]) -> None:
        self._losses = {}
        self._total = fields["total_steps"]
        description = "pretraining" if fields["phase"] == "encoder" else "new head"
        self._bar.reset(self._id, total=self._total, completed=fields["at"], visible=True, description=description)

    def _on_pretraining_resume(self, fields: Mapping[str, Any]) -> None:
        self._line(f"pretraining resumed after step {fields['at']}")
        self._on_pretraining_start(fields)

    def _on_pretraining_step(self, fields: Mapping[str, Any]) -> None:
        self._on_step(fields)

    def _on_pretraining_evaluation(self, fields: Mapping[str, Any]) -> None:
        before = " (before)" if fields["epoch"] == 0 and fields["phase"] == "encoder" else ""
        what = "pretraining" if fields["phase"] == "encoder" else "new head"
        self._line(f"{what}, epoch {fields['epoch']:g}{before}: held-out perplexity {fields['perplexity']:.2f}")

    def _line(self, text: str) -> None:
        self._console.print(text, markup=False, highlight=False)


def _left(step: int, total: int | None, seconds: float) -> str:
    if total is None or step == 0:
        return ""
    return f"{seconds / step * (total - step) / 60:.1f} min left"


def _number(score: float | None) -> str:
    return "undefined" if score is None else f"{score:.3f}"
