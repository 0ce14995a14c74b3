"""FlatTokens: a batch's real tokens on a device, and the layout of its sequences for attention.

Attention works on groups of sequences of similar length, so that it needs little padding. Its work grows with the
square of the padded length. Padding each sequence to the longest of its group instead of the batch halves the work at
batches of 32 (measured in LOG.md). The results differ only by rounding. Other parts of a model that need sequences
convert flat rows to padded ones and back.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.data.batch import Batch
from manyheads.model.dropout import row_keys


@dataclass(frozen=True)
class Layout:
    """The place of T flat tokens among S sequences of up to L tokens. Made once per batch and used by every layer.

    `offsets`: int32[S+1]. `slots`: int64[T], each token's place in a padded [S*L]. `starts`: int64[S], each
    sequence's first token. `lengths`: int64[S]. `sizes`: the lengths in host memory, or None if the host does not
    know them. `keys`: int32[T], the keys of dropout masks, or None without dropout.
    """

    offsets: Tensor
    slots: Tensor
    starts: Tensor
    lengths: Tensor
    sizes: NDArray[np.int64] | None
    max_length: int
    ragged: bool
    keys: Tensor | None = None

    @property
    def sequences(self) -> int:
        """The number of sequences, S."""
        return len(self.starts)

    @cached_property
    def groups(self) -> _Groups:
        """The sequences in groups of similar length. If the host does not know the lengths, it waits for the device."""
        return make_groups(self.lengths.cpu().numpy() if self.sizes is None else self.sizes, self.lengths.device)


@dataclass(frozen=True)
class FlatTokens:
    """A batch on one device. `token_ids`, `position_ids`, `segment_ids`: int64[T]. `layout`: their sequences."""

    token_ids: Tensor
    position_ids: Tensor
    segment_ids: Tensor
    layout: Layout

    @cached_property
    def first_keys(self) -> Tensor | None:
        """The key of each sequence's first token, int32[S]. None without keys."""
        return None if self.layout.keys is None else self.layout.keys.index_select(0, self.layout.starts)

    @classmethod
    def from_batch(cls, batch: Batch, device: torch.device, *, keyed: bool = False) -> FlatTokens:
        """Move a batch to a device. `keyed`: also compute the keys of dropout masks."""
        offsets = torch.from_numpy(batch.offsets).to(device)
        positions = torch.from_numpy(batch.position_ids).to(device).long()
        lengths = offsets.diff().long()
        sequence = torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths, output_size=batch.tokens)
        layout = Layout(
            offsets=offsets,
            slots=sequence * batch.max_length + positions,
            starts=offsets[:-1].long(),
            lengths=lengths,
            sizes=np.diff(batch.offsets).astype(np.int64),
            max_length=batch.max_length,
            ragged=batch.tokens < batch.sequences * batch.max_length,
            keys=torch.from_numpy(row_keys(batch)).to(device) if keyed else None,
        )
        return cls(
            token_ids=torch.from_numpy(batch.token_ids).to(device).long(),
            position_ids=positions,
            segment_ids=torch.from_numpy(batch.segment_ids).to(device).long(),
            layout=layout,
        )


RATIO = 0.6
"""A sequence shorter than this share of its group's longest begins a new group. Three groups cover lengths 1 to 4."""


@dataclass(frozen=True)
class Group:
    """Some sequences of a batch, padded to the longest of them. `lengths`: int64[n]."""

    length: int
    ragged: bool
    lengths: Tensor
    _masks: dict[tuple[torch.dtype, int | None], Tensor] = field(default_factory=dict)

    @property
    def sequences(self) -> int:
        """The number of sequences, n."""
        return len(self.lengths)

    def mask(self, dtype: torch.dtype, window: int | None) -> Tensor | None:
        """Return what is added to attention scores: 0 where a query sees a key, else -inf. None if it sees all keys.

        The shape is [n, 1, 1, L], or [n, 1, L, L] with a window (a query sees keys nearer than `window` places).
        """
        if not self.ragged and (window is None or window >= self.length):
            return None
        key = (dtype, window)
        if key not in self._masks:
            self._masks[key] = self._make_mask(dtype, window)
        return self._masks[key]

    def _make_mask(self, dtype: torch.dtype, window: int | None) -> Tensor:
        places = torch.arange(self.length, device=self.lengths.device)
        seen = (places[None, :] < self.lengths[:, None])[:, None, None, :]
        if window is not None:
            distance = (places[:, None] - places[None, :]).abs()
            # Every place sees itself: a padded query without any key would give NaN in the output and the gradients.
            seen = (seen & (distance < window)) | (distance == 0)
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))


@dataclass(frozen=True)
class _Groups:
    """All groups of a batch over one padded buffer of P rows.

    `slots`: int64[T], each flat token's row in the buffer. `order`: int64[S], the sequences in the order of the
    groups. `places`: int64[S], the inverse of `order`. `whole`: whether the flat rows are already the buffer.
    """

    groups: tuple[Group, ...]
    slots: Tensor
    size: int
    order: Tensor
    places: Tensor
    whole: bool

    def pad(self, rows: Tensor) -> Tensor:
        """Copy flat rows[T, H] to the buffer[P, H], with zeros after each sequence's end."""
        return rows if self.whole else _spread(rows, self.slots, self.size)

    def parts(self, buffer: Tensor) -> list[Tensor]:
        """Split the buffer[P, H] into one view [n, L, H] per group, at once, so that the gradients are joined once."""
        sizes = [group.sequences * group.length for group in self.groups]
        parts = buffer.split_with_sizes(sizes) if len(sizes) > 1 else (buffer,)
        return [part.view(each.sequences, each.length, -1) for each, part in zip(self.groups, parts, strict=True)]

    def unpad(self, parts: list[Tensor]) -> Tensor:
        """Join the groups' rows [n, L, H], in order, to flat rows[T, H] without padding."""
        rows = [part.reshape(-1, part.shape[-1]) for part in parts]
        buffer = rows[0] if len(rows) == 1 else torch.cat(rows)
        return buffer if self.whole else _pick(buffer, self.slots)


def make_groups(lengths: NDArray[np.int64], device: torch.device) -> _Groups:
    """Make the groups of a batch whose sequences have these lengths: int64[S]."""
    members = by_length(lengths)
    order = np.concatenate(members)
    padded = np.concatenate([np.full(len(each), lengths[each].max()) for each in members])
    begins = np.zeros(len(order), dtype=np.int64)
    np.cumsum(padded[:-1], out=begins[1:])
    first = np.empty(len(order), dtype=np.int64)
    first[order] = begins
    starts = np.zeros(len(lengths), dtype=np.int64)
    np.cumsum(lengths[:-1], out=starts[1:])
    slots = np.arange(int(lengths.sum())) + np.repeat(first - starts, lengths)
    groups = []
    for each in members:
        sizes = lengths[each]
        groups.append(Group(int(sizes.max()), bool((sizes < sizes.max()).any()), torch.from_numpy(sizes).to(device)))
    return _Groups(
        groups=tuple(groups),
        slots=torch.from_numpy(slots).to(device),
        size=int(padded.sum()),
        order=torch.from_numpy(order).to(device),
        places=torch.from_numpy(np.argsort(order)).to(device),
        whole=len(members) == 1 and not groups[0].ragged,
    )


def by_length(lengths: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    """Group sequences by length. Return index arrays, longest first. A single group keeps the order of the batch."""
    order = np.argsort(-lengths, kind="stable")
    sizes = lengths[order]
    cuts = [0]
    for place, size in enumerate(sizes):
        if size < RATIO * sizes[cuts[-1]]:
            cuts.append(place)
    if len(cuts) == 1:
        return [np.arange(len(lengths))]
    return np.split(order, cuts[1:])


def pad(rows: Tensor, layout: Layout) -> Tensor:
    """Pad flat rows[T, H] to [S, L, H], with zeros after each sequence's end. Sequences of one length need no copy."""
    if layout.ragged:
        rows = _spread(rows, layout.slots, layout.sequences * layout.max_length)
    return rows.view(layout.sequences, layout.max_length, -1)


def unpad(padded: Tensor, layout: Layout) -> Tensor:
    """Convert [S, L, H] to flat rows[T, H] without the padding."""
    rows = padded.reshape(layout.sequences * layout.max_length, -1)
    return _pick(rows, layout.slots) if layout.ragged else rows


def _spread(rows: Tensor, slots: Tensor, size: int) -> Tensor:
    """Copy rows[T, H] to their slots[T] (all different) of [size, H]. Other rows are zero."""
    spread_rows: Tensor = _Spread.apply(rows, slots, size)  # type: ignore[no-untyped-call]
    return spread_rows


def _pick(rows: Tensor, slots: Tensor) -> Tensor:
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
        return _pick(gradients[0], slots), None, None


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
        return _spread(gradients[0], slots, ctx.size), None
