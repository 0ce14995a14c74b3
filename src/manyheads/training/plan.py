"""The plan of a run: how batches become updates, and when to evaluate and to save."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Plan:
    """Counts, all in updates ("steps") unless said otherwise.

    An update takes `accumulation` batches; the last one of an epoch takes what is left, so that no update spans two
    epochs. `max_steps` ends the run early; the schedule then ends there too.
    """

    batches_per_epoch: int
    epochs: int
    accumulation: int = 1
    max_steps: int | None = None
    evaluate_every: int | None = None
    checkpoint_every: int | None = None

    @property
    def steps_per_epoch(self) -> int:
        """Updates an epoch."""
        return math.ceil(self.batches_per_epoch / self.accumulation)

    @property
    def total_steps(self) -> int:
        """Updates of the whole run."""
        planned = self.epochs * self.steps_per_epoch
        return planned if self.max_steps is None else min(planned, self.max_steps)

    def batches(self, step: int) -> range:
        """The numbers of the batches that update `step` (from 0) is made from."""
        epoch, position = divmod(step, self.steps_per_epoch)
        first = epoch * self.batches_per_epoch
        start = first + position * self.accumulation
        return range(start, min(start + self.accumulation, first + self.batches_per_epoch))

    def epoch(self, done: int) -> int | float:
        """Epochs seen after `done` updates: whole where an epoch has just ended, else with its share."""
        epochs, rest = divmod(done, self.steps_per_epoch)
        return epochs if rest == 0 else round(done / self.steps_per_epoch, 4)

    def evaluates(self, done: int) -> bool:
        """Whether the model is evaluated after `done` updates: every so many, or each epoch; and at the end."""
        return done == self.total_steps or done % (self.evaluate_every or self.steps_per_epoch) == 0

    def saves(self, done: int) -> bool:
        """Whether a checkpoint is written after `done` updates: every so many, and after each evaluation."""
        if self.checkpoint_every is not None and done % self.checkpoint_every == 0:
            return True
        return self.evaluates(done)
