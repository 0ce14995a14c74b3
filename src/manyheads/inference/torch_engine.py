"""The engine for bundles in torch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.inference.bundle import Bundle
from manyheads.inference.engine import TokenWeight
from manyheads.inference.explain import token_weights
from manyheads.model.forward import forward_split, forward_streams
from manyheads.ragged import Rows
from manyheads.tasks.task import Task


class TorchEngine:
    """A bundle on a device, by default the CPU."""

    explains = True

    def __init__(self, bundle: Bundle, device: torch.device | None = None) -> None:
        self._device = device or torch.device("cpu")
        self._bundle = bundle
        self._model = bundle.model.to(self._device)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks of the model, by name."""
        return self._model.tasks

    @property
    def survives_fork(self) -> bool:
        """Whether a forked process can use the engine of its parent: on the CPU only."""
        return self._device.type == "cpu"

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._bundle.tokenizer

    def outputs(self, store: TextStore, split: Split) -> Rows:
        """Return the head's outputs for every example, in the order of the split: float32[n, outputs], or ragged."""
        template, length = self.tokenizer.template, self._bundle.max_length
        return forward_split(self._model, store, template, split, max_length=length, device=self._device)

    def outputs_several(self, store: TextStore, splits: Sequence[Split]) -> list[Rows]:
        """Return `outputs` for several splits. A sequence that several splits read is encoded once."""
        template, length = self.tokenizer.template, self._bundle.max_length
        return forward_streams(
            self._model, store, template, splits, max_length=length, device=self._device, share_texts=True
        )

    def explain(self, store: TextStore, split: Split) -> list[list[TokenWeight]]:
        """Return the token weights of each text of a split with one example: gradient x input."""
        return token_weights(self._model, self.tokenizer, store, split, self._bundle.max_length, self._device)
