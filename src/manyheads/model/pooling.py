"""Pooling: one vector per sequence from the vectors of its tokens."""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from manyheads.model.flat import Layout
from manyheads.model.padding import pad

Pooling = Literal["pooler", "first", "mean"]


def first(tokens: Tensor, layout: Layout) -> Tensor:
    """Select each sequence's first token: float[T, H] to [S, H]."""
    return tokens.index_select(0, layout.starts)


def mean(tokens: Tensor, layout: Layout) -> Tensor:
    """Return the mean over each sequence's tokens, including special ones: float[T, H] to [S, H]."""
    return pad(tokens, layout).sum(dim=1) / layout.lengths[:, None].to(tokens.dtype)
