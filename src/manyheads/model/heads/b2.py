"""B2 ("ram"): one narrow map for both texts; the vectors and their product for classes, the cosine for values."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import cosine_similarity

WIDTH = 128
"""Numbers that each text is mapped to."""


class B2(nn.Module):
    """z_i = W D(p_i); classes: w · D([D(p1), D(p2), z1 * z2]); regression: cos(z1, z2).

    The same dropped-out vectors D(p_i) are mapped and concatenated. The cosine is the unit score and may be negative.
    Source: the reference study's second bi-encoder head.
    """

    def __init__(self, hidden: int, outputs: int, regression: bool, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.shared = nn.Linear(hidden, WIDTH)
        self.map = None if regression else nn.Linear(2 * hidden + WIDTH, outputs)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Two vectors[n, hidden] to [n, outputs]: logits, or cosines in -1..1."""
        first, second = self.dropout(first), self.dropout(second)
        z1, z2 = self.shared(first), self.shared(second)
        if self.map is None:
            return cosine_similarity(z1, z2, dim=1).unsqueeze(1)
        logits: Tensor = self.map(self.dropout(torch.cat([first, second, z1 * z2], dim=1)))
        return logits
