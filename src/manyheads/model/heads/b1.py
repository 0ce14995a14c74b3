"""B1 ("old"): a product of two mapped vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class B1(nn.Module):
    """Computes o = w · (W1 D(p1) * W2 D(p2)). All maps have a bias. For regression the output is the sigmoid of o.

    Source: the reference study's first bi-encoder head.
    """

    def __init__(self, hidden: int, outputs: int, regression: bool, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.first = nn.Linear(hidden, hidden)
        self.second = nn.Linear(hidden, hidden)
        self.map = nn.Linear(hidden, outputs)
        self.regression = regression

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Map two vectors[n, hidden] to [n, outputs]: logits, or unit scores in 0..1."""
        product = self.first(self.dropout(first)) * self.second(self.dropout(second))
        scores: Tensor = self.map(product)
        return torch.sigmoid(scores) if self.regression else scores
