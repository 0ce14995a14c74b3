"""One update: forward, losses, weighting, backward, clipping, AdamW."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.optim import AdamW

from manyheads.errors import TrainingError
from manyheads.model.dropout import KeyedDropout
from manyheads.model.embedding import RowEmbedding
from manyheads.training.weighting import Weighting


@dataclass(frozen=True)
class StepResult:
    """What one update saw: each task's mean loss (before weighting), the gradient's norm, examples and real tokens."""

    losses: dict[str, float]
    gradient_norm: float
    examples: int
    tokens: int


class Counted(Protocol):
    """What the loop asks of a batch: how many examples and real tokens it has."""

    @property
    def examples(self) -> int:
        """The number of examples."""

    @property
    def tokens(self) -> int:
        """The number of real tokens."""


B = TypeVar("B", bound=Counted)


class Stepper(Generic[B]):
    """Makes updates of one model with one optimiser.

    `losses(batch)`: the mean loss of each task in a batch, by name. `rows`: embeddings of the model that keep their
    gradient by rows.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: Callable[[B], Mapping[str, Tensor]],
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
        """One update from one batch, or from several whose gradients are averaged.

        Dropout is a function of (seed, step), so a run that goes on from a checkpoint draws what it would have drawn.

        Raises:
            TrainingError: a loss or the gradient is not finite; the weights are left as they were before the step.
        """
        self._begin(step)
        sums: dict[str, list[float]] = {}
        for number, batch in enumerate(batches):
            losses = self._losses(batch)
            for task, loss in losses.items():
                sums.setdefault(task, []).append(check_finite(loss.item(), task, step, number))
            (self._weighting(losses) / len(batches)).backward()  # type: ignore[no-untyped-call]
        norm = self._clip(step, sums)
        self._optimizer.step()
        return StepResult(
            losses={task: sum(values) / len(values) for task, values in sums.items()},
            gradient_norm=norm,
            examples=sum(batch.examples for batch in batches),
            tokens=sum(batch.tokens for batch in batches),
        )

    def advance(self, step: int, batches: Sequence[B]) -> list[StepResult]:
        """Make one update; the results that are known now, in order: here this one's."""
        return [self.update(step, batches)]

    def settle(self) -> list[StepResult]:
        """Wait for updates that were asked for and not yet heard of; their results, in order."""
        return []

    def _begin(self, step: int, rank: int = 0) -> None:
        """Set dropout's generators and clear the gradients. torch's own generator serves where a mask has no keys."""
        torch.manual_seed(dropout_seed(self._seed, step, rank))
        for stream in self._streams:
            stream.begin(dropout_seed(self._seed, step))
        self._into_training()
        for parameter in self._dense:
            parameter.grad = None
        for embedding in self._rows:
            embedding.clear()

    def _into_training(self) -> None:
        """Put the model into training mode. Each module is asked, for a loaded encoder is in eval mode inside."""
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
    """The generator's seed for a step: 63 bits of a hash of (seed, step, rank)."""
    digest = hashlib.blake2b(f"dropout/{seed}/{step}/{rank}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") >> 1


def check_finite(loss: float, task: str, step: int, number: int) -> float:
    """The loss of a task in batch `number` of a step.

    Raises:
        TrainingError: it is not finite.
    """
    if not math.isfinite(loss):
        raise TrainingError(
            "the loss is not finite",
            where=f"step {step}, task {task}, batch {number} of the step",
            found=loss,
            hint="lower training.learning_rate, or set training.clip_norm; the run can go on from its last checkpoint",
        )
    return loss


def autocast(device: torch.device, precision: str) -> AbstractContextManager[object]:
    """What runs a forward pass in a precision: "float32" as it is, "bfloat16" by torch's autocast."""
    if precision == "bfloat16":
        return torch.autocast(device.type, dtype=torch.bfloat16)
    return nullcontext()
