"""TaskLosses: from a batch to the loss of each of its tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from manyheads.data.batch import Batch, Part
from manyheads.model.flat import FlatTokens
from manyheads.model.losses import LossFunction
from manyheads.model.multitask import MultitaskModel
from manyheads.ragged import Ragged, flat
from manyheads.training.step import autocast


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

    def __call__(self, batch: Batch, labels: Mapping[str, int] | None = None) -> dict[str, Tensor]:
        """Return the sum of each task's losses in the batch, divided by the number of its `labels` in the update.

        The losses are multiplied by the weights of their examples first. The mean weight over all training examples is
        1, so the result is an unbiased estimate of the weighted mean over them, for batches of any composition.
        Default: the batch is the update.
        """
        labels = batch.label_counts if labels is None else labels
        tokens = FlatTokens.from_batch(batch, self._device, keyed=self._model.training)
        with autocast(self._device, self._precision):
            outputs = self._model(tokens, batch.parts)
            return {
                part.task: self._sum(part, output) / labels[part.task]
                for part, output in zip(batch.parts, outputs, strict=True)
            }

    def _sum(self, part: Part, output: Tensor) -> Tensor:
        targets = torch.from_numpy(flat(part.targets) if part.soft is None else part.soft).to(self._device)
        losses = self._losses[part.task](output.float(), targets)
        if part.weights is not None:
            weights = part.weights
            if isinstance(part.targets, Ragged) and len(losses) == len(part.targets.values):
                weights = np.repeat(weights, part.targets.lengths)
            losses = losses * torch.from_numpy(weights).to(self._device)
        return losses.sum()
