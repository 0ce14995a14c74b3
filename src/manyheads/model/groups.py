"""Groups: the sequences of a batch in groups of similar length, so that attention needs little padding.

The work of attention grows with the square of the padded length. Padding each sequence to the longest of its group
instead of the batch halves the work at batches of 32 (measured in LOG.md). The results differ only by rounding.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.model.padding import pick, spread

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
class Groups:
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
        return rows if self.whole else spread(rows, self.slots, self.size)

    def parts(self, buffer: Tensor) -> list[Tensor]:
        """Split the buffer[P, H] into one view [n, L, H] per group, at once, so that the gradients are joined once."""
        sizes = [group.sequences * group.length for group in self.groups]
        parts = buffer.split_with_sizes(sizes) if len(sizes) > 1 else (buffer,)
        return [part.view(each.sequences, each.length, -1) for each, part in zip(self.groups, parts, strict=True)]

    def unpad(self, parts: list[Tensor]) -> Tensor:
        """Join the groups' rows [n, L, H], in order, to flat rows[T, H] without padding."""
        rows = [part.reshape(-1, part.shape[-1]) for part in parts]
        buffer = rows[0] if len(rows) == 1 else torch.cat(rows)
        return buffer if self.whole else pick(buffer, self.slots)


def make_groups(lengths: NDArray[np.int64], device: torch.device) -> Groups:
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
    return Groups(
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
