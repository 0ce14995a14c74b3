"""The vector head: the vector of each text itself, which may be mapped to another size."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import normalize

from manyheads.model.heads.options import HeadOptions


class VectorOptions(HeadOptions):
    """The options of the vector head."""

    dropout: float = Field(
        default=0.0, ge=0, lt=1, description="Dropout probability, applied to the vectors of the encoder."
    )
    size: int | None = Field(
        default=None,
        ge=1,
        le=65536,
        description="Size of the vector of each text, to which one linear map leads. Default: the vector of the "
        "encoder itself, without a map.",
    )
    normalise: bool = Field(default=True, description="Whether each vector has length 1.")


class Vector(nn.Module):
    """Computes z_i = W D(p_i) for each text, divided by its length. Without `size`, W is the identity.

    Source: the network of Reimers and Gurevych (2019), "Sentence-BERT", section 3: pooling, then the cosine.
    """

    def __init__(
        self,
        hidden: int,
        outputs: int,
        regression: bool,
        dropout: float,
        size: int | None = None,
        normalise: bool = True,
    ) -> None:
        super().__init__()
        del outputs, regression
        self.dropout = nn.Dropout(dropout)
        self.shared = None if size is None else nn.Linear(hidden, size)
        self.size = hidden if size is None else size
        self.normalise = normalise

    def forward(self, first: Tensor, second: Tensor, *others: Tensor) -> Tensor:
        """Map k vectors[n, hidden] to [n, k * size], the vectors of the texts one after another."""
        return torch.cat([self.vector(each) for each in (first, second, *others)], dim=1)

    def vector(self, vector: Tensor) -> Tensor:
        """Map vector[n, hidden] to [n, size]."""
        dropped: Tensor = self.dropout(vector)
        mapped = dropped if self.shared is None else self.shared(dropped)
        return normalize(mapped, dim=1) if self.normalise else mapped
