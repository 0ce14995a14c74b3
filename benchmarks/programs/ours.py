"""manyheads: its own stepper on its own batches."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import torch

from benchmarks.work import Pick, Work, by_task
from manyheads.data.texts import tokenise
from manyheads.model.forward import forward_split
from manyheads.recipe.build import build_model, make_optimizer, make_stepper


class Ours:
    """Trains as `manyheads train` does, including the assembly of batches."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.model = build_model(work.recipe, work.source, work.prepared.tasks)
        self.stepper = make_stepper(work.recipe, self.model, make_optimizer(work.recipe, self.model))
        self.step = 0

    def train(self, block: Sequence[Sequence[Pick]], seed: int) -> float:
        """Train on a block and return the seconds."""
        del seed
        started = time.perf_counter()
        for picks in block:
            self.stepper.update(self.step, [self.work.assemble(picks)])
            self.step += 1
        return time.perf_counter() - started

    def evaluate(self, picks: Sequence[Pick]) -> float:
        """Compute the outputs of dev examples and return the seconds. With one task they include tokenising."""
        store = self.work.prepared.store
        splits = {task: self.work.prepared.dev[task].take(np.array(rows)) for task, rows in by_task(picks).items()}
        started = time.perf_counter()
        if len(self.work.prepared.tasks) == 1:
            ((task, split),) = splits.items()
            columns = self.work.dev_texts(picks)
            store, index = tokenise([text for row in columns for text in row], self.work.tokenizer, None)
            splits = {task: replace(split, text_index=np.asarray(index, dtype=np.int32).reshape(len(columns), -1))}
        for split in splits.values():
            forward_split(
                self.model,
                store,
                self.work.tokenizer.template,
                split,
                max_length=self.work.recipe.model.max_length,
                device=torch.device("cpu"),
            )
        return time.perf_counter() - started
