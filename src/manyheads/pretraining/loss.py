"""The loss of masked language modelling, in training and on held-out texts."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from manyheads.errors import TrainingError
from manyheads.model.flat import FlatTokens
from manyheads.pretraining.head import MaskedModel
from manyheads.pretraining.mask import NAME, MaskedBatch
from manyheads.pretraining.texts import MaskedTexts
from manyheads.training.step import autocast


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
