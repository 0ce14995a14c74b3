"""Between flat rows and padded ones, for the parts of a model that need sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from manyheads.model.flat import Layout


def pad(rows: Tensor, layout: Layout) -> Tensor:
    """Flat rows[T, H] to [S, L, H], zeros past each sequence's end. A single sequence length needs no copy."""
    if layout.ragged:
        rows = spread(rows, layout.slots, layout.sequences * layout.max_length)
    return rows.view(layout.sequences, layout.max_length, -1)


def unpad(padded: Tensor, layout: Layout) -> Tensor:
    """[S, L, H] to the flat rows[T, H]: what stands past a sequence's end is dropped."""
    rows = padded.reshape(layout.sequences * layout.max_length, -1)
    return pick(rows, layout.slots) if layout.ragged else rows


def spread(rows: Tensor, slots: Tensor, size: int) -> Tensor:
    """rows[T, H] at their slots[T] (all different) of [size, H], zeros elsewhere."""
    spread_rows: Tensor = _Spread.apply(rows, slots, size)  # type: ignore[no-untyped-call]
    return spread_rows


def pick(rows: Tensor, slots: Tensor) -> Tensor:
    """The rows at slots[T] (all different): [size, H] to [T, H]."""
    picked: Tensor = _Pick.apply(rows, slots)  # type: ignore[no-untyped-call]
    return picked


def _write(rows: Tensor, slots: Tensor, size: int) -> Tensor:
    """Slots differ, so the order of writing does not matter."""
    return rows.new_zeros(size, rows.shape[1]).index_copy_(0, slots, rows)


class _Spread(torch.autograd.Function):
    """Its backward pass picks rows, where that of indexing would add them up, slower and in no fixed order."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slots: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(slots)
        return _write(rows, slots, size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slots,) = ctx.saved_tensors
        return pick(gradients[0], slots), None, None


class _Pick(torch.autograd.Function):
    """The reverse: picks rows going forward, spreads their gradients going back."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slots: Tensor) -> Tensor:
        ctx.save_for_backward(slots)
        ctx.size = len(rows)
        return rows.index_select(0, slots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (slots,) = ctx.saved_tensors
        return spread(gradients[0], slots, ctx.size), None
