"""TaskLosses: from a batch to the mean loss of each of its tasks."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from manyheads.data.batch import Batch, Part
from manyheads.model.flat import FlatTokens
from manyheads.model.losses import task_loss
from manyheads.model.multitask import MultitaskModel
from manyheads.training.step import autocast


class TaskLosses:
    """Computes the losses of a batch for a Stepper."""

    def __init__(self, model: MultitaskModel, *, device: torch.device, precision: str = "float32") -> None:
        self._model, self._device, self._precision = model, device, precision

    def __call__(self, batch: Batch, counts: Mapping[str, int] | None = None) -> dict[str, Tensor]:
        """Return each task's mean loss over its examples in the batch.

        `counts`: the divisor of each task's sum, if the batch is a share of a larger one. Default: the number of the
        task's examples in the batch.
        """
        tokens = FlatTokens.from_batch(batch, self._device, keyed=self._model.training)
        with autocast(self._device, self._precision):
            outputs = self._model(tokens, batch.parts)
            return {
                part.task: self._mean(part, output, counts) for part, output in zip(batch.parts, outputs, strict=True)
            }

    def _mean(self, part: Part, output: Tensor, counts: Mapping[str, int] | None) -> Tensor:
        """Return the mean over the examples of the batch. A short last batch is divided by its own size."""
        targets = torch.from_numpy(part.targets).to(self._device)
        losses = task_loss(self._model.tasks[part.task], output.float(), targets)
        return losses.mean() if counts is None else losses.sum() / counts[part.task]
