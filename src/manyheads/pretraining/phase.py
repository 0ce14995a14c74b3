"""Phases of pretraining: the loop over masked batches with its loss, and a folder for its checkpoints and its log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from manyheads.errors import TrainingError
from manyheads.model.flat import FlatTokens
from manyheads.pretraining.head import MaskedModel
from manyheads.pretraining.options import PretrainingOptions
from manyheads.pretraining.texts import NAME, MaskedBatch, MaskedTexts
from manyheads.run.events import EventLog, cut_after
from manyheads.training.checkpoint import Checkpoints, Progress
from manyheads.training.listener import Listener, Listeners
from manyheads.training.loop import Loop
from manyheads.training.optimizer import build_optimizer, build_schedule
from manyheads.training.plan import Plan
from manyheads.training.step import Stepper, autocast
from manyheads.training.stop import Interrupted, StopFlag, Stopping
from manyheads.training.weighting.fixed import Fixed

PLACES = {"head": 0, "encoder": 1}
"""The phases and their keys in the stream of random numbers: first a new head only, then the encoder with its head."""


@dataclass(frozen=True)
class Phase:
    """One of the two phases of a model's pretraining.

    `folder` contains its checkpoints and its log. `notify` receives the events "pretraining_start" or
    "pretraining_resume", "pretraining_step", "pretraining_evaluation" and "pretraining_checkpoint", each with `phase`.
    """

    name: str
    folder: Path
    model: MaskedModel
    train: MaskedTexts
    held_out: MaskedTexts
    options: PretrainingOptions
    device: torch.device
    precision: str
    notify: Listener
    stop: StopFlag

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints of this phase."""
        return Checkpoints(self.folder / "checkpoints")

    @property
    def log(self) -> Path:
        """The event log of this phase."""
        return self.folder / "events.jsonl"

    def run(self, before: Mapping[str, float] | None = None) -> Progress:
        """Train to the end, from the last checkpoint if there is one.

        The encoder is evaluated before the first and after each epoch, a new head only at its end. `before`: the
        held-out loss of the initial weights, if it is known.

        Raises:
            Interrupted: a signal asked to stop. A checkpoint is written.
            TrainingError: a loss or the gradient is not finite.
        """
        options, latest = self.options, self.checkpoints.latest()
        loss = MaskedLoss(self.model, device=self.device, precision=self.precision)
        optimizer = build_optimizer(
            self.model, learning_rate=self._rate, betas=(0.9, 0.999), eps=options.eps, weight_decay=options.weight_decay
        )
        progress = Progress() if latest is None else self.checkpoints.restore(latest, self.model, optimizer)
        self.folder.mkdir(parents=True, exist_ok=True)
        if latest is None:
            self.log.unlink(missing_ok=True)
        cut_after(self.log, progress.step, evaluated=progress.evaluated)
        with EventLog(self.log) as log:
            notify = _Renamed(Listeners([log.write, self.notify]), self.name)
            plan = self._plan()
            notify("start" if latest is None else "resume", at=progress.step, total_steps=plan.total_steps)
            if latest is None:
                try:
                    self._begin(progress, loss, notify, before)
                except Stopping:
                    raise Interrupted(0, self.stop.signal_number or 0) from None
            return Loop(
                model=self.model,
                optimizer=optimizer,
                stepper=self._stepper(loss, optimizer),
                schedule=build_schedule(options.schedule, total_steps=plan.total_steps, warmup=options.warmup),
                learning_rate=self._rate,
                plan=plan,
                batch=self._batch,
                evaluate=lambda: loss.held_out(self.held_out, self.stop.check),
                record=lambda _progress, _is_best: None,
                checkpoints=self.checkpoints,
                notify=notify,
                stop=self.stop,
            ).run(progress)

    @property
    def _rate(self) -> float:
        return self.options.head_learning_rate if self.name == "head" else self.options.learning_rate

    def _plan(self) -> Plan:
        epochs = self.options.head_epochs if self.name == "head" else self.options.epochs
        batches = self.train.batches_per_epoch(self.options.batch_size)
        evaluate_every = epochs * batches if self.name == "head" else None
        every = self.options.checkpoint_every
        return Plan(batches, epochs, evaluate_every=evaluate_every, checkpoint_every=every)

    def _stepper(self, loss: MaskedLoss, optimizer: torch.optim.AdamW) -> Stepper[MaskedBatch]:
        weighting = Fixed({NAME: 1.0})
        seed, clip_norm = self.options.seed, self.options.clip_norm
        return Stepper(self.model, loss, optimizer, weighting, seed=seed, clip_norm=clip_norm)

    def _batch(self, k: int) -> MaskedBatch:
        return self.train.batch(k, batch_size=self.options.batch_size, phase=PLACES[self.name])

    def _begin(
        self, progress: Progress, loss: MaskedLoss, notify: Listener, before: Mapping[str, float] | None
    ) -> None:
        """Record the held-out loss of the initial weights as the first evaluation."""
        if self.name == "head":
            return
        started = time.perf_counter()
        entry: dict[str, Any] = {"epoch": 0, "step": 0, **(before or loss.held_out(self.held_out, self.stop.check))}
        progress.evaluations.append(entry)
        notify("evaluation", **entry, evaluation_seconds=round(time.perf_counter() - started, 3))


class _Renamed:
    """A listener that passes on the loop's events under the names of pretraining."""

    def __init__(self, listener: Listener, phase: str) -> None:
        self._listener, self._phase = listener, phase

    def __call__(self, event: str, **fields: object) -> None:
        fields.pop("best", None)
        self._listener(f"pretraining_{event}", phase=self._phase, **fields)


class MaskedLoss:
    """Computes the loss of a batch for a Stepper."""

    def __init__(self, model: MaskedModel, *, device: torch.device, precision: str) -> None:
        self._model, self._device, self._precision = model, device, precision

    def __call__(self, batch: MaskedBatch, labels: Mapping[str, int] | None = None) -> dict[str, Tensor]:
        """Return the sum of the cross-entropies of the masked tokens, divided by their number in the update.

        `labels`: that number, under the name of the loss. Default: the batch is the update.
        """
        return {NAME: self._losses(batch).sum() / (labels or batch.label_counts)[NAME]}

    def held_out(self, texts: MaskedTexts, after_batch: Callable[[], None]) -> dict[str, float]:
        """Return `loss`, the mean over all masked tokens of the texts with fixed masks, and `perplexity`, exp(loss).

        `after_batch` is called after each batch. It may raise an exception to end the pass.

        Raises:
            TrainingError: the loss is not finite.
        """
        was_training = self._model.training
        self._model.eval()
        total, count = 0.0, 0
        try:
            with torch.inference_mode():
                for batch in texts.fixed():
                    total += self._losses(batch).double().sum().item()
                    count += len(batch.positions)
                    after_batch()
        finally:
            self._model.train(was_training)
        loss = total / count
        if not math.isfinite(loss):
            hint = "lower pretraining.learning_rate"
            raise TrainingError("the held-out loss is not finite", where="pretraining", found=loss, hint=hint)
        return {"loss": loss, "perplexity": math.exp(min(loss, 700.0))}

    def _losses(self, batch: MaskedBatch) -> Tensor:
        tokens = FlatTokens.from_batch(batch.batch, self._device, keyed=self._model.training)
        positions = torch.from_numpy(batch.positions).to(self._device)
        with autocast(self._device, self._precision):
            logits = self._model.logits(self._model.encoder.tokens(tokens), positions)
        targets = torch.from_numpy(batch.targets).to(self._device)
        return cross_entropy(logits.float(), targets, reduction="none")
