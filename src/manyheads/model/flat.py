"""FlatTokens: a batch's real tokens on a device, and the layout by which attention finds its sequences."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from manyheads.data.batch import Batch


@dataclass(frozen=True)
class Layout:
    """Where T flat tokens stand among S sequences of up to L tokens; made once a batch, used by every layer.

    `offsets`: int32[S+1]; `slots`: int64[T], each token's place in a padded [S*L]; `starts`: int64[S], each
    sequence's first token; `lengths`: int64[S].
    """

    offsets: Tensor
    slots: Tensor
    starts: Tensor
    lengths: Tensor
    max_length: int
    ragged: bool
    _masks: dict[tuple[torch.dtype, int | None], Tensor] = field(default_factory=dict)

    @property
    def sequences(self) -> int:
        """S, the number of sequences."""
        return len(self.starts)

    def mask(self, dtype: torch.dtype, window: int | None) -> Tensor | None:
        """What is added to attention scores: 0 where a query may see a key, -inf elsewhere; None where it may see all.

        Shape [S, 1, 1, L], or [S, 1, L, L] with a window (a query sees keys nearer than `window` places).
        """
        if not self.ragged and (window is None or window >= self.max_length):
            return None
        key = (dtype, window)
        if key not in self._masks:
            self._masks[key] = self._make_mask(dtype, window)
        return self._masks[key]

    def _make_mask(self, dtype: torch.dtype, window: int | None) -> Tensor:
        places = torch.arange(self.max_length, device=self.lengths.device)
        seen = (places[None, :] < self.lengths[:, None])[:, None, None, :]
        if window is not None:
            distance = (places[:, None] - places[None, :]).abs()
            # Every place sees itself: a padded query with no key at all would give NaN, and spoil the gradients.
            seen = (seen & (distance < window)) | (distance == 0)
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill_(~seen, float("-inf"))


@dataclass(frozen=True)
class FlatTokens:
    """`token_ids`, `position_ids`, `segment_ids`: int64[T] on one device, and their layout."""

    token_ids: Tensor
    position_ids: Tensor
    segment_ids: Tensor
    layout: Layout

    @classmethod
    def from_batch(cls, batch: Batch, device: torch.device) -> FlatTokens:
        """Move a batch to a device."""
        offsets = torch.from_numpy(batch.offsets).to(device)
        positions = torch.from_numpy(batch.position_ids).to(device).long()
        lengths = offsets.diff().long()
        sequence = torch.repeat_interleave(torch.arange(len(lengths), device=device), lengths, output_size=batch.tokens)
        layout = Layout(
            offsets=offsets,
            slots=sequence * batch.max_length + positions,
            starts=offsets[:-1].long(),
            lengths=lengths,
            max_length=batch.max_length,
            ragged=batch.tokens < batch.sequences * batch.max_length,
        )
        return cls(
            token_ids=torch.from_numpy(batch.token_ids).to(device).long(),
            position_ids=positions,
            segment_ids=torch.from_numpy(batch.segment_ids).to(device).long(),
            layout=layout,
        )
