"""Word embeddings whose gradient is updated row by row.

A batch uses a few hundred of 30,000 rows. torch's own backward pass allocates and zero-fills a gradient of all rows
in every step, and clipping reads it twice. On a CPU with batches of 8 that is an eighth of a step. Here the gradient
buffer is kept between steps. Only the rows that a step used are written, measured, scaled and cleared. The optimiser
sees the same dense gradient, so the weights are the same.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import embedding


class RowEmbedding(nn.Embedding):
    """An embedding whose backward pass writes into its own gradient buffer. Nothing else may use its weight."""

    touched: Tensor | None = None
    """The rows that have a gradient, int64[R], without duplicates. None if no row has one."""

    @classmethod
    def of(cls, module: nn.Embedding) -> RowEmbedding:
        """Make one from an embedding, over the same parameter."""
        rows = cls.__new__(cls)
        rows.__dict__ = module.__dict__
        return rows

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002 - torch's name
        """Look up ids int64[...]: vectors[..., H]."""
        if not (torch.is_grad_enabled() and self.weight.requires_grad):
            return embedding(input, self.weight, self.padding_idx)
        vectors: Tensor = _Lookup.apply(self.weight, input, self)  # type: ignore[no-untyped-call]
        return vectors

    def add(self, ids: Tensor, gradient: Tensor) -> None:
        """Add the gradients[N, H] of the looked-up ids[N] to the buffer."""
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
        """Return the gradient of the rows that have one: [R, H]."""
        if self.touched is None or self.weight.grad is None:
            return None
        return self.weight.grad.index_select(0, self.touched)

    def scale(self, factor: Tensor) -> None:
        """Multiply the gradient."""
        rows = self.gradient()
        if rows is not None and self.weight.grad is not None and self.touched is not None:
            self.weight.grad.index_copy_(0, self.touched, rows * factor)

    def clear(self) -> None:
        """Set the gradient to zero and keep its buffer."""
        if self.touched is not None and self.weight.grad is not None:
            self.weight.grad.index_fill_(0, self.touched, 0.0)
        self.touched = None


def keep_rows(model: nn.Module) -> list[RowEmbedding]:
    """Replace a transformers model's word embeddings by a RowEmbedding. No other module may share the weight."""
    words = model.get_input_embeddings()  # type: ignore[operator]
    if type(words) is not nn.Embedding or words.max_norm is not None or words.scale_grad_by_freq or words.sparse:
        return []
    rows = RowEmbedding.of(words)
    model.set_input_embeddings(rows)  # type: ignore[operator]
    return [rows]


class _Lookup(torch.autograd.Function):
    """A lookup that passes its gradient to the module. Autograd receives none for the weight."""

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
