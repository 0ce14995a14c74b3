"""The menu of loss weightings. Each combines the losses of the tasks of a step into one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from manyheads.training.weighting.fixed import Fixed


class Weighting(Protocol):
    """Combines the mean losses of the tasks of a batch into the loss that is differentiated."""

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return a scalar from the scalar losses of the tasks that have examples in the batch."""


WEIGHTING = {"fixed": Fixed}
