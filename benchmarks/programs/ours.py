"""manyheads: its own stepper, over its own batches."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.work import Pick, Work
from manyheads.recipe.build import build_model, make_optimizer, make_stepper


class Ours:
    """What `manyheads train` does with a batch, assembling it included."""

    name = "manyheads"

    def __init__(self, work: Work) -> None:
        self.work = work
        self.model = build_model(work.recipe, work.source, work.prepared.tasks)
        self.stepper = make_stepper(work.recipe, self.model, make_optimizer(work.recipe, self.model))
        self.step = 0

    def train(self, block: Sequence[Sequence[Pick]], seed: int) -> float:
        """Seconds for the block."""
        del seed
        started = time.perf_counter()
        for picks in block:
            self.stepper.update(self.step, [self.work.assemble(picks)])
            self.step += 1
        return time.perf_counter() - started
