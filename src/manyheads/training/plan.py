"""The plan of a run: which batches make an update, and when to evaluate and to write a checkpoint."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """The plan's numbers. `max_steps`, `evaluate_every` and `checkpoint_every` count updates ("steps").

    An update uses `accumulation` batches. The last update of an epoch uses the remaining ones, so that no update spans
    two epochs. `max_steps` ends the run early, and the schedule ends there too.
    """

    batches_per_epoch: int
    epochs: int
    accumulation: int = 1
    max_steps: int | None = None
    evaluate_every: int | None = None
    checkpoint_every: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Updates per epoch."""
        return math.ceil(self.batches_per_epoch / self.accumulation)

    @property
    def total_steps(self) -> int:
        """Updates of the whole run."""
        planned = self.epochs * self.steps_per_epoch
        return planned if self.max_steps is None else min(planned, self.max_steps)

    def batches(self, step: int) -> range:
        """Return the numbers of the batches of update `step` (from 0)."""
        epoch, position = divmod(step, self.steps_per_epoch)
        first = epoch * self.batches_per_epoch
        start = first + position * self.accumulation
        return range(start, min(start + self.accumulation, first + self.batches_per_epoch))

    def epoch(self, done: int) -> int | float:
        """Return the epochs after `done` updates: an int at the end of an epoch, else a fraction."""
        epochs, rest = divmod(done, self.steps_per_epoch)
        return epochs if rest == 0 else round(done / self.steps_per_epoch, 4)

    def evaluates(self, done: int) -> bool:
        """Return whether the model is evaluated after `done` updates.

        That is every `evaluate_every` updates (default: at the end of each epoch) and at the end of the run.
        """
        return done == self.total_steps or done % (self.evaluate_every or self.steps_per_epoch) == 0

    def saves(self, done: int) -> bool:
        """Return whether a checkpoint is written after `done` updates.

        That is every `checkpoint_every` updates and after each evaluation.
        """
        if self.checkpoint_every is not None and done % self.checkpoint_every == 0:
            return True
        return self.evaluates(done)
