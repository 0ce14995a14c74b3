"""The linear head: W D(p), for single texts, for pairs that share a sequence ("cross"), and for words ("tokens")."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Linear(nn.Module):
    """Dropout, then one linear map. For regression its sigmoid.

    Source: the reference study's sentiment head and its cross-encoding heads for pairs. For words, the vector is that
    of the word's first token (Devlin et al. 2019, section 5.3).
    """

    def __init__(self, hidden: int, outputs: int, regression: bool, dropout: float) -> None:
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.map = nn.Linear(hidden, outputs)
        self.regression = regression

    def forward(self, vector: Tensor) -> Tensor:
        """Map vector[n, hidden] to [n, outputs]: logits, or unit scores in 0..1."""
        scores: Tensor = self.map(self.dropout(vector))
        return torch.sigmoid(scores) if self.regression else scores
