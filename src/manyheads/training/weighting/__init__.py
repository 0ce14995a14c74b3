"""The menu of loss weightings: how the losses of the tasks in a step become one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from manyheads.training.weighting.fixed import Fixed


class Weighting(Protocol):
    """Combines the mean loss of each task in a batch into the one that is differentiated."""

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """A scalar from the scalar loss of each task that the batch has examples of."""


WEIGHTING = {"fixed": Fixed}
