"""Word embeddings whose gradient is kept by rows.

A batch touches a few hundred of 30,000 rows. torch's own backward pass allocates and zero-fills a gradient of all of
them every step, and clipping reads it twice: on a CPU an eighth of a step at batches of 8. Here the gradient buffer is
kept, and only the rows that a step touched are written, measured, scaled and cleared. The optimiser sees the same dense
gradient, so the weights are the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding


class RowEmbedding(nn.Embedding):
    """An embedding whose backward pass writes into a gradient buffer of its own; the one user of its weight."""

    touched: Tensor | None = None
    """The rows that hold a gradient, int64[R], each once; None where none does."""

    @classmethod
    def of(cls, module: nn.Embedding) -> RowEmbedding:
        """The same embedding, over the same parameter."""
        found = cls.__new__(cls)
        found.__dict__ = module.__dict__
        return found

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - the name that torch's has
        """ids int64[...] to vectors[..., H]."""
        if not (torch.is_grad_enabled() and self.weight.requires_grad):
            return embedding(input, self.weight, self.padding_idx)
        found: Tensor = _Lookup.apply(self.weight, input, self)  # type: ignore[no-untyped-call]
        return found

    def add(self, ids: Tensor, gradient: Tensor) -> None:
        """Add the gradients[N, H] of looked-up ids[N] to the buffer."""
        rows, places = torch.unique(ids, return_inverse=True)
        sums = torch.ops.aten.embedding_dense_backward(gradient, places, len(rows), -1, False)
        if self.padding_idx is not None:
            sums.masked_fill_((rows == self.padding_idx)[:, None], 0.0)
        if self.weight.grad is None:
            self.weight.grad = torch.zeros_like(self.weight)
            self.touched = None
        if self.touched is None:
            self.weight.grad.index_copy_(0, rows, sums)
            self.touched = rows
        else:
            self.weight.grad.index_add_(0, rows, sums)
            self.touched = torch.unique(torch.cat([self.touched, rows]))

    def gradient(self) -> Tensor | None:
        """The rows that hold a gradient: [R, H]."""
        if self.touched is None or self.weight.grad is None:
            return None
        return self.weight.grad.index_select(0, self.touched)

    def scale(self, factor: Tensor) -> None:
        """Multiply the gradient."""
        rows = self.gradient()
        if rows is not None and self.weight.grad is not None and self.touched is not None:
            self.weight.grad.index_copy_(0, self.touched, rows * factor)

    def clear(self) -> None:
        """Make the gradient zero, and keep its buffer."""
        if self.touched is not None and self.weight.grad is not None:
            self.weight.grad.index_fill_(0, self.touched, 0.0)
        self.touched = None


def keep_rows(model: nn.Module) -> list[RowEmbedding]:
    """Turn a transformers model's word embeddings into one whose gradient is kept by rows; nothing may share them."""
    found = model.get_input_embeddings()  # type: ignore[operator]
    if type(found) is not nn.Embedding or found.max_norm is not None or found.scale_grad_by_freq or found.sparse:
        return []
    rows = RowEmbedding.of(found)
    model.set_input_embeddings(rows)  # type: ignore[operator]
    return [rows]


class _Lookup(torch.autograd.Function):
    """The gradient goes to the module, not through autograd: for the weight there is none to return."""

    @staticmethod
    def forward(ctx: Any, weight: Tensor, ids: Tensor, module: RowEmbedding) -> Tensor:
        ctx.save_for_backward(ids)
        ctx.module = module
        return embedding(ids, weight)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[None, None, None]:
        (ids,) = ctx.saved_tensors
        ctx.module.add(ids.flatten(), gradients[0].reshape(ids.numel(), -1))
        return None, None, None
