"""FlatTokens: a batch's real tokens on a device, and the layout of its sequences for attention."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.data.batch import Batch
from manyheads.model.dropout import row_keys
from manyheads.model.groups import Groups, make_groups


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
    def groups(self) -> Groups:
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
