"""transformers' Trainer with its fastest settings: sdpa, fused AdamW, no logging, no saving, no reporting."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from typing import Any

from torch.utils.data import Dataset
from transformers import Trainer, TrainerCallback, TrainingArguments

from benchmarks.programs.padded import PaddedModel, padded
from benchmarks.work import Pick, Work, grouped_batches, shuffled_batches


class _Picks(Dataset[Pick]):
    def __init__(self, picks: Sequence[Pick]) -> None:
        self.picks = picks

    def __len__(self) -> int:
        return len(self.picks)

    def __getitem__(self, index: int) -> Pick:
        return self.picks[index]


class Clock(TrainerCallback):
    """The time between the beginning of the first step and the end of the last."""

    def __init__(self) -> None:
        self.first: float | None = None
        self.last = 0.0

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        """Record the time at which the first step begins."""
        self.first = time.perf_counter() if self.first is None else self.first

    def on_step_end(self, *_: Any, **__: Any) -> None:
        """Record the time at which a step ends."""
        self.last = time.perf_counter()

    @property
    def seconds(self) -> float:
        """The time between both."""
        return self.last - (self.first or self.last)


class HubTrainer:
    """Trains on random batches, or if `grouped` on batches sorted by length over the whole block, like its own sampler.

    The order is made in advance and read in sequence, so that both ways train on the examples of the block.
    """

    def __init__(self, work: Work, *, grouped: bool) -> None:
        self.work, self.grouped = work, grouped
        self.model = PaddedModel(work)

    def train(self, block: Sequence[Sequence[Pick]], seed: int) -> float:
        """Train on a block. Return the seconds without the Trainer's start-up."""
        batches = grouped_batches(block, self.work, seed) if self.grouped else shuffled_batches(block, seed)
        clock = Clock()
        with tempfile.TemporaryDirectory() as folder:
            trainer = Trainer(
                model=self.model,
                args=self._arguments(folder, max(map(len, batches))),
                train_dataset=_Picks([pick for batch in batches for pick in batch]),
                data_collator=lambda picks: padded(self.work.assemble(picks)),
                callbacks=[clock],
            )
            trainer.train()
        return clock.seconds

    def evaluate(self, picks: Sequence[Pick]) -> float:
        """Compute the outputs of dev examples in batches of 64, sorted by length if `grouped`. Return the seconds."""
        started = time.perf_counter()
        if self.grouped:
            tokens = self.work.tokens(picks, "dev")
            picks = [picks[row] for row in sorted(range(len(picks)), key=tokens.__getitem__)]
        with tempfile.TemporaryDirectory() as folder:
            Trainer(
                model=self.model,
                args=self._arguments(folder, 64),
                data_collator=lambda chosen: padded(self.work.assemble(chosen, "dev")),
            ).predict(_Picks(picks))
        return time.perf_counter() - started

    def _arguments(self, folder: str, size: int) -> TrainingArguments:
        training = self.work.recipe.training
        return TrainingArguments(
            output_dir=folder,
            per_device_train_batch_size=size,
            per_device_eval_batch_size=size,
            num_train_epochs=1,
            train_sampling_strategy="sequential",
            optim="adamw_torch_fused",
            learning_rate=training.learning_rate,
            weight_decay=training.weight_decay,
            max_grad_norm=training.clip_norm,
            lr_scheduler_type="constant",
            logging_strategy="no",
            save_strategy="no",
            report_to=[],
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
            logging_nan_inf_filter=False,
            use_cpu=True,
        )
