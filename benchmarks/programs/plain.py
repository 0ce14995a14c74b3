"""The plain loop: padded batches of the recipe's own strategy, sdpa attention and fused AdamW."""

from __future__ import annotations

import time
from collections.abc import Sequence

import torch
from torch import nn

from benchmarks.programs.padded import PaddedModel, padded
from benchmarks.work import Pick, Work


class Plain:
    """Trains on the same batches as manyheads."""

    def __init__(self, work: Work) -> None:
        self.work = work
        self.model = PaddedModel(work).train()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=work.recipe.training.learning_rate, fused=True)

    def train(self, block: Sequence[Sequence[Pick]], seed: int) -> float:
        """Train on a block and return the seconds."""
        del seed
        started = time.perf_counter()
        for picks in block:
            self.optimizer.zero_grad()
            self.model(**padded(self.work.assemble(picks)))["loss"].backward()
            nn.utils.clip_grad_norm_(self.model.parameters(), self.work.recipe.training.clip_norm)
            self.optimizer.step()
        return time.perf_counter() - started

    def evaluate(self, picks: Sequence[Pick]) -> float:
        """Compute the outputs of dev examples, in the files' order in batches of 64, and return the seconds."""
        started = time.perf_counter()
        self.model.eval()
        with torch.inference_mode():
            for start in range(0, len(picks), 64):
                self.model(**padded(self.work.assemble(picks[start : start + 64], "dev")))
        self.model.train()
        return time.perf_counter() - started
