"""B2 ("ram"): one narrow map for both texts. Classes use the vectors and their product. Values use the cosine."""

from __future__ import annotations

import torch
from pydantic import Field
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

from manyheads.model.heads.options import HeadOptions

WIDTH = 128
"""Size of the vector that each text is mapped to in the reference study."""


class B2Options(HeadOptions):
    """The options of B2."""

    width: int = Field(default=WIDTH, ge=1, le=65536, description="Size of the vector that each text is mapped to.")


class B2(nn.Module):
    """Computes z_i = W D(p_i), then w · D([D(p1), D(p2), z1 * z2]) for classes or cos(z1, z2) for regression.

    The vectors D(p_i) after dropout are both mapped and concatenated. The cosine is the unit score. It may be negative.
    Source: the reference study's second bi-encoder head.
    """

    def __init__(self, hidden: int, outputs: int, regression: bool, dropout: float, width: int = WIDTH) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.shared = nn.Linear(hidden, width)
        self.map = None if regression else nn.Linear(2 * hidden + width, outputs)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map two vectors[n, hidden] to [n, outputs]: logits, or cosines in -1..1."""
        first, second = self.dropout(first), self.dropout(second)
        z1, z2 = self.shared(first), self.shared(second)
        if self.map is None:
            return cosine_similarity(z1, z2, dim=1).unsqueeze(1)
        logits: Tensor = self.map(self.dropout(torch.cat([first, second, z1 * z2], dim=1)))
        return logits
