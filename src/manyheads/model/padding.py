"""Conversion between flat and padded rows, for the parts of a model that need sequences."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from manyheads.model.flat import Layout


def pad(rows: Tensor, layout: Layout) -> Tensor:
    """Pad flat rows[T, H] to [S, L, H], with zeros after each sequence's end. Sequences of one length need no copy."""
    if layout.ragged:
        rows = spread(rows, layout.slots, layout.sequences * layout.max_length)
    return rows.view(layout.sequences, layout.max_length, -1)


def unpad(padded: Tensor, layout: Layout) -> Tensor:
    """Convert [S, L, H] to flat rows[T, H] without the padding."""
    rows = padded.reshape(layout.sequences * layout.max_length, -1)
    return pick(rows, layout.slots) if layout.ragged else rows


def spread(rows: Tensor, slots: Tensor, size: int) -> Tensor:
    """Copy rows[T, H] to their slots[T] (all different) of [size, H]. Other rows are zero."""
    spread_rows: Tensor = _Spread.apply(rows, slots, size)  # type: ignore[no-untyped-call]
    return spread_rows


def pick(rows: Tensor, slots: Tensor) -> Tensor:
    """Select the rows at slots[T] (all different): [size, H] to [T, H]."""
    picked: Tensor = _Pick.apply(rows, slots)  # type: ignore[no-untyped-call]
    return picked


def _write(rows: Tensor, slots: Tensor, size: int) -> Tensor:
    """Write rows at their slots. Slots differ, so the order of writing does not matter."""
    return rows.new_zeros(size, rows.shape[1]).index_copy_(0, slots, rows)


class _Spread(torch.autograd.Function):
    """Spreads rows. Its backward pass picks rows. Indexing would add them up, which is slower and in no fixed order."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slots: Tensor, size: int) -> Tensor:
        ctx.save_for_backward(slots)
        return _write(rows, slots, size)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        (slots,) = ctx.saved_tensors
        return pick(gradients[0], slots), None, None


class _Pick(torch.autograd.Function):
    """The reverse of `_Spread`: picks rows in the forward pass and spreads their gradients in the backward pass."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, slots: Tensor) -> Tensor:
        ctx.save_for_backward(slots)
        ctx.size = len(rows)
        return rows.index_select(0, slots)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (slots,) = ctx.saved_tensors
        return spread(gradients[0], slots, ctx.size), None
