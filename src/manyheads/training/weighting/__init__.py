"""The menu of loss weightings. Each combines the losses of the tasks of a step into one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from torch import Tensor

from manyheads.training.weighting.fixed import Fixed


class Weighting(Protocol):
    """Combines the losses of the tasks into the loss that is differentiated.

    It is linear in the losses, because an update adds the results of its batches and processes.
    """

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return a scalar from the scalar losses of the tasks that have examples in the batch.

        A loss is the batch's part of the mean over the task's labels in the update, times the task's share of the rows.
        """


WEIGHTING = {"fixed": Fixed}
