"""Between flat rows and padded ones, for the parts of a model that need sequences."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from manyheads.model.flat import Layout


def pad(rows: Tensor, layout: Layout) -> Tensor:
    """Flat rows[T, H] to [S, L, H], zeros past each sequence's end. A single sequence length needs no copy."""
    if not layout.ragged:
        return rows.view(layout.sequences, layout.max_length, -1)
    padded: Tensor = _Pad.apply(rows, layout.slots, layout.sequences * layout.max_length)  # type: ignore[no-untyped-call]
    return padded.view(layout.sequences, layout.max_length, -1)


def unpad(padded: Tensor, layout: Layout) -> Tensor:
    """[S, L, H] to the flat rows[T, H]: what stands past a sequence's end is dropped."""
    rows = padded.reshape(layout.sequences * layout.max_length, -1)
    if not layout.ragged:
        return rows
    flat: Tensor = _Unpad.apply(rows, layout.slots)  # type: ignore[no-untyped-call]
    return flat


def _spread(rows: Tensor, slots: Tensor, size: int) -> Tensor:
    """Rows at their slots, zeros elsewhere; slots differ, so the order of writing does not matter."""
    return rows.new_zeros(size, rows.shape[1]).index_copy_(0, slots, rows)


class _Pad(torch.autograd.Function):
    """Its backward pass picks rows, where that of indexing would add them up, slower and in no fixed order."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slots: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(slots)
        return _spread(rows, slots, size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slots,) = ctx.saved_tensors
        return gradients[0].index_select(0, slots), None, None


class _Unpad(torch.autograd.Function):
    """The reverse: picks rows going forward, spreads their gradients going back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slots: Tensor) -> Tensor:
        ctx.save_for_backward(slots)
        ctx.size = len(rows)
        return rows.index_select(0, slots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (slots,) = ctx.saved_tensors
        return _spread(gradients[0], slots, ctx.size), None
