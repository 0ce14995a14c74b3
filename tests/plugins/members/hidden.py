"""A head with one hidden layer, whose width is an option."""

from __future__ import annotations

from pydantic import Field
from torch import Tensor, nn

import manyheads
from manyheads.model.heads import HeadEntry
from manyheads.model.heads.options import HeadOptions


class HiddenOptions(HeadOptions):
    width: int = Field(default=16, ge=1, description="Width of the hidden layer.")


class Hidden(nn.Module):
    """Dropout, a hidden layer with GELU, and a linear map."""

    def __init__(self, hidden: int, outputs: int, unit: bool, dropout: float, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Dropout(dropout), nn.Linear(hidden, width), nn.GELU(), nn.Linear(width, outputs))
        self.unit = unit

    def forward(self, vector: Tensor) -> Tensor:
        scores: Tensor = self.layers(vector)
        return scores.sigmoid() if self.unit else scores


manyheads.register(HeadEntry("hidden", Hidden, "single", HiddenOptions))
