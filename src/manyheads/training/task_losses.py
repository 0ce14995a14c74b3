"""TaskLosses: from a batch to the loss of each of its tasks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from manyheads.data.batch import Batch, Part
from manyheads.model.flat import FlatTokens
from manyheads.model.losses import LossFunction
from manyheads.model.losses.contrastive import BatchLoss
from manyheads.model.losses.ranking import CandidateLoss
from manyheads.model.multitask import MultitaskModel
from manyheads.ragged import Ragged, flat
from manyheads.tasks.kind import known
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
