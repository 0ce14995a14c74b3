"""Engine: what a predictor asks of whatever runs the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.tasks.task import Task

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TokenWeight:
    """A token, as the vocabulary spells it, and its share of the answer: the largest weight of an answer is 1 or -1."""

    token: str
    weight: float


class Engine(Protocol):
    """A model that can be run: its tasks, its tokenizer, and the outputs of splits."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks that the model answers, by name."""

    @property
    def explains(self) -> bool:
        """Whether it can say which tokens mattered."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of its texts."""

    def outputs(self, store: TextStore, split: Split) -> Floats:
        """The head's outputs of every example, in the split's order: float32[n, outputs]."""

    def outputs_several(self, store: TextStore, splits: Sequence[Split]) -> list[Floats]:
        """The same of several splits; a sequence that several of them read is encoded once where the engine can."""

    def explain(self, store: TextStore, split: Split) -> list[list[TokenWeight]]:
        """How much each token of each text of a split's one example mattered.

        Raises:
            BundleError: the engine has no gradients.
        """
