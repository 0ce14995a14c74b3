"""Engine: the interface between a predictor and a runtime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.ragged import Rows
from manyheads.tasks.task import Task

Floats = NDArray[np.float32]


@dataclass(frozen=True)
class TokenWeight:
    """A token, as the vocabulary spells it, and its contribution to the prediction.

    Weights are scaled so that the largest absolute weight of a prediction is 1.
    """

    token: str
    weight: float


class Engine(Protocol):
    """A model that can be run."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks of the model, by name."""

    @property
    def explains(self) -> bool:
        """Whether `explain` is supported."""

    @property
    def survives_fork(self) -> bool:
        """Whether a forked process can use the engine of its parent."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""

    def outputs(self, store: TextStore, split: Split) -> Rows:
        """Return the head's outputs for every example, in the order of the split: float32[n, outputs], or ragged."""

    def outputs_several(self, store: TextStore, splits: Sequence[Split]) -> list[Rows]:
        """Return `outputs` for several splits.

        An engine may encode a sequence once if several splits read it.
        """

    def explain(self, store: TextStore, split: Split) -> list[list[TokenWeight]]:
        """Return the token weights of each text of a split with one example.

        Raises:
            BundleError: the runtime has no gradients.
        """
