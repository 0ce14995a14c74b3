"""Engine: what a predictor asks of whatever runs the model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.data.dataset import Split
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.tasks.task import Task


class Engine(Protocol):
    """A model that can be run: its tasks, its tokenizer, and a split's outputs."""

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks that the model answers, by name."""

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of its texts."""

    def outputs(self, store: TextStore, split: Split) -> NDArray[np.float32]:
        """The head's outputs of every example, in the split's order: float32[n, outputs]."""
