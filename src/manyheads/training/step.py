"""One update: forward pass, losses of the tasks, weighting, backward pass, clipping, AdamW."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.optim import AdamW

from manyheads.data.batch import Batch, Part
from manyheads.errors import TrainingError
from manyheads.model.dropout import KeyedDropout
from manyheads.model.embedding import RowEmbedding
from manyheads.model.flat import FlatTokens
from manyheads.model.losses import LossFunction
from manyheads.model.losses.contrastive import BatchLoss
from manyheads.model.losses.ranking import CandidateLoss
from manyheads.model.multitask import MultitaskModel
from manyheads.process_state import borrowing
from manyheads.ragged import Ragged, flat
from manyheads.tasks.kind import known
from manyheads.training.weighting import Weighting


@dataclass(frozen=True)
class StepResult:
    """The result of one update: each task's mean loss before weighting, the gradient's norm, examples, real tokens."""

    losses: dict[str, float]
    gradient_norm: float
    examples: int
    tokens: int


class Counted(Protocol):
    """The part of a batch that the loop reads: its numbers of examples, rows, real tokens and labels."""

    @property
    def examples(self) -> int:
        """The number of examples: the pairs of a row and a label of it."""

    @property
    def rows(self) -> int:
        """The number of rows. A row that several tasks read counts once."""

    @property
    def tokens(self) -> int:
        """The number of real tokens."""

    @property
    def row_counts(self) -> Mapping[str, int]:
        """The number of rows of each task."""

    @property
    def label_counts(self) -> Mapping[str, int]:
        """The number of labels of each task, over which its loss is a mean."""


B = TypeVar("B", bound=Counted)


@dataclass(frozen=True)
class UpdateCounts:
    """The labels of each task in all batches of an update, and the share of its rows that each task reads.

    The loss of an update is the sum over its tasks of weight * share * mean over the task's labels. All counts are
    those of the whole update, so the loss does not depend on how it is divided into batches and processes. A row that
    several tasks read counts for each of them, and once among the rows of the update.
    """

    labels: Mapping[str, int]
    shares: Mapping[str, float]

    @classmethod
    def of(cls, batches: Sequence[Counted]) -> UpdateCounts:
        """Count the rows and labels of an update."""
        rows: Counter[str] = Counter()
        labels: Counter[str] = Counter()
        for batch in batches:
            rows.update(batch.row_counts)
            labels.update(batch.label_counts)
        total = sum(batch.rows for batch in batches)
        return cls(dict(labels), {task: count / total for task, count in rows.items()})

    def scaled(self, losses: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the losses, each multiplied by the share of its task."""
        return {task: loss * self.shares[task] for task, loss in losses.items()}


class Stepper(Generic[B]):
    """Updates one model with one optimiser.

    `losses(batch, labels)`: returns the sum of the losses of each task of a batch, divided by the number of the task's
    `labels` in the update. `rows`: the model's embeddings whose gradient is updated row by row.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Callable[[B, Mapping[str, int]], Mapping[str, Tensor]],
        optimizer: AdamW,
        weighting: Weighting,
        *,
        seed: int,
        clip_norm: float,
        rows: Sequence[RowEmbedding] = (),
    ) -> None:
        self._model = model
        self._losses = losses
        self._optimizer = optimizer
        self._weighting = weighting
        self._seed = seed
        self._clip_norm = clip_norm
        self._rows = tuple(rows)
        kept = {embedding.weight for embedding in self._rows}
        self._dense = [each for each in model.parameters() if each.requires_grad and each not in kept]
        self._modules = tuple(model.modules())
        self._streams = {module.stream for module in self._modules if isinstance(module, KeyedDropout)}

    def update(self, step: int, batches: Sequence[B]) -> StepResult:
        """Make one update from one or several batches. `UpdateCounts` defines its loss.

        Dropout is a function of (seed, step), so a resumed run draws the same masks.

        Raises:
            TrainingError: a loss or the gradient is not finite. The weights are the same as before the step.
        """
        counts = UpdateCounts.of(batches)
        sums: dict[str, float] = {}
        with borrowing():
            self._begin(step)
            for number, batch in enumerate(batches):
                losses = self._losses(batch, counts.labels)
                for task, loss in losses.items():
                    sums[task] = sums.get(task, 0.0) + check_finite(loss.item(), task, step, number)
                self._weighting(counts.scaled(losses)).backward()  # type: ignore[no-untyped-call]
        norm = self._clip(step, sums)
        self._optimizer.step()
        return StepResult(
            losses=sums,
            gradient_norm=norm,
            examples=sum(batch.examples for batch in batches),
            tokens=sum(batch.tokens for batch in batches),
        )

    def advance(self, step: int, batches: Sequence[B]) -> list[StepResult]:
        """Request one update. Return the results that are known now, in order: here the result of this update."""
        return [self.update(step, batches)]

    def wait(self) -> list[StepResult]:
        """Wait for requested updates whose results were not returned yet, and return them, in order."""
        return []

    def close(self) -> None:
        """Release what only updates need."""

    def _begin(self, step: int, rank: int = 0) -> None:
        """Seed dropout and clear the gradients. Masks without keys use torch's own generator."""
        torch.manual_seed(dropout_seed(self._seed, step, rank))
        for stream in self._streams:
            stream.begin(dropout_seed(self._seed, step))
        self._into_training()
        for parameter in self._dense:
            parameter.grad = None
        for embedding in self._rows:
            embedding.clear()

    def _into_training(self) -> None:
        """Put the model into training mode. Every module is checked, because a loaded encoder is in eval mode."""
        if not all(module.training for module in self._modules):
            self._model.train()

    def _clip(self, step: int, seen: Mapping[str, object]) -> float:
        rows = [embedding.gradient() for embedding in self._rows]
        gradients = [each for each in [*(parameter.grad for parameter in self._dense), *rows] if each is not None]
        total = nn.utils.get_total_norm(gradients)
        norm = total.item()
        self._check_norm(norm, step, seen)
        if 0 < self._clip_norm < norm:
            nn.utils.clip_grads_with_norm_(self._dense, self._clip_norm, total)
            for embedding in self._rows:
                embedding.scale(self._clip_norm / (total + 1e-6))
        return norm

    @staticmethod
    def _check_norm(norm: float, step: int, tasks: Iterable[str]) -> None:
        if not math.isfinite(norm):
            raise TrainingError(
                "the gradient is not finite",
                where=f"step {step}, task {', '.join(sorted(tasks))}",
                found=norm,
                hint="lower training.learning_rate, or set training.clip_norm",
            )


def dropout_seed(seed: int, step: int, rank: int = 0) -> int:
    """Return the generator's seed for a step: 63 bits of a hash of (seed, step, rank)."""
    digest = hashlib.blake2b(f"dropout/{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def check_finite(loss: float, task: str, step: int, number: int) -> float:
    """Return the loss of a task in batch `number` of a step.

    Raises:
        TrainingError: the loss is not finite.
    """
    if not math.isfinite(loss):
        raise TrainingError(
            "the loss is not finite",
            where=f"step {step}, task {task}, batch {number} of the step",
            found=loss,
            hint="lower training.learning_rate, or set training.clip_norm",
        )
    return loss


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """Return a context that runs a forward pass in a precision: "bfloat16" uses torch's autocast, "float32" nothing."""
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()


class TaskLosses:
    """Computes the losses of a batch for a Stepper. `losses`: the loss of each task."""

    def __init__(
        self,
        model: MultitaskModel,
        losses: Mapping[str, LossFunction],
        *,
        device: torch.device,
        precision: str = "float32",
    ) -> None:
        self._model, self._losses, self._device, self._precision = model, losses, device, precision

    @property
    def whole(self) -> frozenset[str]:
        """The tasks whose loss reads all rows of the task in a batch."""
        return frozenset(task for task, loss in self._losses.items() if isinstance(loss, BatchLoss))

    def __call__(self, batch: Batch, labels: Mapping[str, int] | None = None) -> dict[str, Tensor]:
        """Return the sum of each task's losses in the batch, divided by the number of its `labels` in the update.

        The losses are multiplied by the weights of their examples first. The mean weight over all training examples is
        1, so the result is an unbiased estimate of the weighted mean over them, for batches of any composition.
        Examples without a target have no loss, and a task without a label in the update has none. Default: the batch is
        the update.
        """
        labels = batch.label_counts if labels is None else labels
        tokens = FlatTokens.from_batch(batch, self._device, keyed=self._model.training)
        with autocast(self._device, self._precision):
            outputs = self._model(tokens, batch.parts)
            return {
                part.task: self._sum(part, output) / labels[part.task]
                for part, output in zip(batch.parts, outputs, strict=True)
                if labels[part.task]
            }

    def _sum(self, part: Part, output: Tensor) -> Tensor:
        loss, weights, texts = self._losses[part.task], part.weights, part.texts
        targets = flat(part.targets) if part.soft is None else part.soft
        if isinstance(part.targets, Ragged):
            if weights is not None and not isinstance(loss, CandidateLoss):
                weights = np.repeat(weights, part.targets.lengths)
        elif not (labelled := known(part.targets)).all():
            output, targets = output[torch.from_numpy(labelled).to(self._device)], targets[labelled]
            weights = None if weights is None else weights[labelled]
            texts = None if texts is None else texts[labelled]
        inputs = [targets]
        if isinstance(loss, BatchLoss):
            if texts is None:
                raise AssertionError(f"the texts of {part.task} are not in the batch")
            inputs.append(texts)
        if isinstance(loss, CandidateLoss) and isinstance(part.targets, Ragged):
            inputs.append(part.targets.offsets)
        losses = loss(output.float(), *(torch.from_numpy(each).to(self._device) for each in inputs))
        return (losses if weights is None else losses * torch.from_numpy(weights).to(self._device)).sum()
