"""The training loop: updates, evaluations and checkpoints, until the plan or early stopping ends it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic

from torch import nn
from torch.optim import AdamW

from manyheads.training.checkpoint import Checkpoints, Progress
from manyheads.training.listener import Listener
from manyheads.training.optimizer import Schedule, set_learning_rate
from manyheads.training.plan import Plan
from manyheads.training.step import B, Stepper, StepResult
from manyheads.training.stop import Interrupted, StopFlag, Stopping


@dataclass(frozen=True)
class Loop(Generic[B]):
    """The parts of a run that a new run and a resumed one share.

    `batch(k)`: returns batch number k, a pure function of k. `evaluate()`: returns the current scores of the model,
    with an `average` if an evaluation can be the best one, or raises Stopping. `record(progress, is_best)`: called
    after each evaluation and before the checkpoint. It must be safe to repeat. `early_stopping`: number of evaluations
    without a better average after which the run ends. `pending`: the fields of the steps whose losses are not known
    yet.
    """

    model: nn.Module
    optimizer: AdamW
    stepper: Stepper[B]
    schedule: Schedule
    learning_rate: float
    plan: Plan
    batch: Callable[[int], B]
    evaluate: Callable[[], Mapping[str, Any]]
    record: Callable[[Progress, bool], None]
    checkpoints: Checkpoints
    notify: Listener
    stop: StopFlag
    early_stopping: int | None = None
    pending: deque[dict[str, Any]] = field(default_factory=deque)

    def run(self, progress: Progress) -> Progress:
        """Train from `progress` to the end of the plan.

        Raises:
            Interrupted: a signal asked to stop. The checkpoint of the last whole step is written.
            TrainingError: a loss or the gradient is not finite.
        """
        moved = False
        while True:
            if self._evaluation_due(progress):
                self._wait(progress)
                # A stop or a kill during the evaluation loses no step. The event log keeps one event per step.
                self._save(progress, silent=True)
                self._evaluate(progress)
                self._save(progress)
            elif self.stop or self.stop.save_wanted or (moved and self.plan.saves(progress.step)):
                self._wait(progress)
                self._save(progress)
            if self.stop:
                raise self._interrupted(progress)
            if progress.step >= self.plan.total_steps or progress.stopped_early:
                return progress
            self._step(progress)
            moved = True

    def _evaluation_due(self, progress: Progress) -> bool:
        """Return whether the step has an evaluation that was not made yet."""
        return self.plan.evaluates(progress.step) and progress.evaluated < progress.step

    def _interrupted(self, progress: Progress) -> Interrupted:
        return Interrupted(progress.step, self.stop.signal_number or 0)

    def _step(self, progress: Progress) -> None:
        started = time.perf_counter()
        rate = self.learning_rate * self.schedule(progress.step)
        set_learning_rate(self.optimizer, rate)
        batches = [self.batch(number) for number in self.plan.batches(progress.step)]
        results = self.stepper.advance(progress.step, batches)
        progress.step += 1
        progress.seconds += time.perf_counter() - started
        progress.examples += sum(batch.examples for batch in batches)
        progress.tokens += sum(batch.tokens for batch in batches)
        self.pending.append(
            {
                "step": progress.step,
                "learning_rate": rate,
                "examples": progress.examples,
                "tokens": progress.tokens,
                "seconds": round(progress.seconds, 4),
            }
        )
        self._report(results)

    def _wait(self, progress: Progress) -> None:
        """Wait for the results of all requested steps."""
        started = time.perf_counter()
        results = self.stepper.wait()
        progress.seconds += time.perf_counter() - started
        self._report(results)

    def _report(self, results: Sequence[StepResult]) -> None:
        """Send the events of steps whose losses are known. On some devices that is later than their request."""
        for result in results:
            fields = self.pending.popleft()
            self.notify("step", losses=result.losses, gradient_norm=result.gradient_norm, **fields)

    def _evaluate(self, progress: Progress) -> None:
        started = time.perf_counter()
        try:
            self.stop.check()
            scores = self.evaluate()
        except Stopping:
            raise self._interrupted(progress) from None
        entry = {"epoch": self.plan.epoch(progress.step), "step": progress.step, **scores}
        progress.evaluations.append(entry)
        is_best = self._is_best(progress)
        if is_best:
            progress.best = len(progress.evaluations) - 1
            progress.stale = 0
            self.checkpoints.save_best(self.model, progress.step)
        elif entry.get("average") is not None:
            progress.stale += 1
        if self.early_stopping is not None and progress.stale >= self.early_stopping:
            progress.stopped_early = True
        self.record(progress, is_best)
        self.notify("evaluation", **entry, best=is_best, evaluation_seconds=round(time.perf_counter() - started, 3))
        self._explain(progress)

    def _explain(self, progress: Progress) -> None:
        """Report why training stops early, or why an evaluation does not count for that."""
        entry = progress.evaluations[-1]
        if progress.stopped_early and progress.best is not None:
            best = progress.evaluations[progress.best]
            text = (
                f"stopped early after step {progress.step}: no better average than {best['average']:.4f} (epoch "
                f"{best['epoch']}) in {progress.stale} evaluations (training.early_stopping = {self.early_stopping})"
            )
            progress.stop_reason = text
            self.notify("stopped_early", at=progress.step, text=text)
        elif self.early_stopping is not None and entry.get("average") is None:
            text = "the average is undefined, so this evaluation does not count for training.early_stopping"
            self.notify("warning", text=text)

    @staticmethod
    def _is_best(progress: Progress) -> bool:
        """Return whether the newest average is above all earlier ones. A null average is never the best."""
        average = progress.evaluations[-1].get("average")
        if average is None:
            return False
        return progress.best is None or average > progress.evaluations[progress.best]["average"]

    def _save(self, progress: Progress, *, silent: bool = False) -> None:
        with self.stop.protected():
            self.checkpoints.save(self.model, self.optimizer, progress)
        self.stop.saved()
        if not silent:
            self.notify("checkpoint", step=progress.step)
