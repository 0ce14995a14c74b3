"""Fixed weights: each task's loss times its `loss_weight` (the reference study's loss rescaling)."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor


class Fixed:
    """The sum of the losses, each multiplied by its task's constant weight."""

    def __init__(self, weights: Mapping[str, float]) -> None:
        self._weights = dict(weights)

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Return the weighted sum of scalar losses."""
        return torch.stack([self._weights[task] * loss for task, loss in losses.items()]).sum()
