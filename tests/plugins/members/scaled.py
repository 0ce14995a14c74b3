"""The weighted sum of the losses, each multiplied by an option."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from pydantic import Field
from torch import Tensor

import manyheads
from manyheads.training.weighting import WeightingEntry
from manyheads.training.weighting.options import WeightingOptions


class ScaledOptions(WeightingOptions):
    scale: float = Field(default=1.0, gt=0, description="Factor on every loss.")


class Scaled:
    def __init__(self, weights: Mapping[str, float], scale: float) -> None:
        self._weights, self._scale = dict(weights), scale

    def __call__(self, losses: Mapping[str, Tensor]) -> Tensor:
        return torch.stack([self._scale * self._weights[task] * loss for task, loss in losses.items()]).sum()


manyheads.register(WeightingEntry("scaled", Scaled, ScaledOptions))
