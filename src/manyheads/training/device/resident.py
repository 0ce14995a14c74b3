"""Training data on a device, and flat batches of fixed shapes that are made there.

The host passes only the rows of a batch. Everything else (the tokens, their places and sequences) is computed on the
device with shapes that do not depend on the rows. So nothing waits for the host, and a step can be replayed as a graph.
The rest of a shape is filled with sequences of the padding token that no loss reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from manyheads.data.dataset import Stream, lengths, sequences_of
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Form, Template
from manyheads.model.dropout import sequence_keys, token_keys
from manyheads.model.flat import FlatTokens, Layout
from manyheads.tasks.kind import known

STEP, GROWTH = 64, 1.25
"""Shapes are multiples of STEP tokens, and each is about GROWTH times the one before. On average a tenth is filling."""


@dataclass(frozen=True)
class ResidentStream:
    """n rows of a stream on a device, each of `sides` sequences of `columns` texts.

    `starts`, `kept`: int64[n, sides, columns], where each text begins in the tokens and how many tokens are kept.
    `keys`: int64[n, sides], the keys of the sequences' dropout masks. `targets`: float32[n, ...] of each task, 0 for a
    row without a target. `labelled`: bool[n] of each task, whether a row has a target. `tokens`: int32[n] in host
    memory, the number of tokens of each row in a batch.
    `weights`: float32[n] of the tasks that have factors of the losses. `soft`: float32[n, ...] of the tasks with soft
    labels, 0 for a row without.
    """

    form: Form
    starts: Tensor
    kept: Tensor
    keys: Tensor
    targets: Mapping[str, Tensor]
    labelled: Mapping[str, Tensor]
    tokens: NDArray[np.int32]
    weights: Mapping[str, Tensor]
    soft: Mapping[str, Tensor]

    @property
    def sides(self) -> int:
        """Sequences per example."""
        return self.kept.shape[1]


@dataclass(frozen=True)
class Resident:
    """Tokens (int32) and streams on one device."""

    token_ids: Tensor
    streams: Mapping[str, ResidentStream]
    max_length: int
    device: torch.device

    @classmethod
    def of(
        cls,
        store: TextStore,
        template: Template,
        streams: Mapping[str, Stream],
        *,
        max_length: int,
        device: torch.device,
    ) -> Resident:
        """Copy a store's tokens and some streams to a device."""
        placed = {name: _place(store, template, max_length, stream, device) for name, stream in streams.items()}
        return cls(torch.from_numpy(np.array(store.token_ids)).to(device), placed, max_length, device)

    def shape(self, name: str, rows: NDArray[np.int64], size: int) -> int:
        """Return the smallest fixed shape, in tokens, for these rows of a stream in a batch of up to `size` rows."""
        stream = self.streams[name]
        needed = int(stream.tokens[rows].sum()) + (size - len(rows)) * stream.sides
        shape = STEP
        while shape < needed + self.spare(shape):
            shape = _grown(shape)
        return shape

    def spare(self, shape: int) -> int:
        """Return the number of filling sequences of a shape. They have room for all its tokens."""
        return -(-shape // self.max_length)

    def tokens(self, name: str, rows: Tensor, count: Tensor, shape: int) -> FlatTokens:
        """Make a batch of `shape` tokens from rows[:count] (int64[size] and int64[]), one side after another.

        Its first size * sides sequences belong to the rows. All others, and those after `count`, are filling.
        """
        split = self.streams[name]
        size, spare = len(rows), self.spare(shape)
        present = torch.arange(size, device=self.device) < count
        kept = split.kept[rows]
        own = torch.where(present[:, None], kept.sum(dim=2) + split.form.specials, 1).T.reshape(-1)
        rest = shape - spare - own.sum()
        filling = 1 + (rest - torch.arange(spare, device=self.device) * (self.max_length - 1)).clamp(
            0, self.max_length - 1
        )
        sizes = torch.cat([own, filling])
        ends = sizes.cumsum(0)
        place = torch.arange(shape, device=self.device)
        sequence = torch.searchsorted(ends, place, right=True)
        position = place - (ends - sizes)[sequence]
        column = sequence.clamp(max=size * split.sides - 1)
        example, side = column % size, column // size
        real = (sequence < size * split.sides) & present[example]
        token_ids, segments = self._write(split, kept[example, side], split.starts[rows[example], side], position)
        keys = token_keys(split.keys[rows[example], side], position)
        starts = ends - sizes
        layout = Layout(
            offsets=torch.cat([ends.new_zeros(1), ends]).to(torch.int32),
            slots=sequence * self.max_length + position,
            starts=starts,
            lengths=sizes,
            sizes=None,
            max_length=self.max_length,
            ragged=True,
            keys=keys,
        )
        return FlatTokens(torch.where(real, token_ids, 0), position, torch.where(real, segments, 0), layout)

    def _write(self, split: ResidentStream, kept: Tensor, starts: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return the token and segment at each position of a sequence.

        The sequence's texts begin at `starts` and keep `kept` tokens each.
        """
        token_ids, segments = torch.zeros_like(position), torch.zeros_like(position)
        at = torch.zeros_like(position)
        for number, (special, special_segments) in enumerate(
            zip(split.form.special, split.form.special_segments, strict=True)
        ):
            for token, segment in zip(special, special_segments, strict=True):
                here = position == at
                token_ids = torch.where(here, token, token_ids)
                segments = torch.where(here, segment, segments)
                at = at + 1
            if number < kept.shape[1]:
                within = position - at
                here = (within >= 0) & (within < kept[:, number])
                text = self.token_ids[torch.where(here, starts[:, number] + within, 0)].long()
                token_ids = torch.where(here, text, token_ids)
                segments = torch.where(here, split.form.text_segments[number], segments)
                at = at + kept[:, number]
        return token_ids, segments


def _place(
    store: TextStore, template: Template, max_length: int, stream: Stream, device: torch.device
) -> ResidentStream:
    form, texts, kept = sequences_of(store, template, max_length, stream.splits[0])
    sides = np.arange(texts.shape[1])
    keys = np.stack([sequence_keys(stream.name, np.arange(len(stream)), int(side)) for side in sides], axis=1)
    targets = {split.task.name: split.targets for split in stream.splits}
    return ResidentStream(
        form=form,
        starts=torch.from_numpy(store.offsets[texts].astype(np.int64)).to(device),
        kept=torch.from_numpy(kept).to(device),
        keys=torch.from_numpy(keys.view(np.int64)).to(device),
        targets={task: torch.from_numpy(np.nan_to_num(each)).to(device) for task, each in targets.items()},
        labelled={task: torch.from_numpy(known(each)).to(device) for task, each in targets.items()},
        tokens=lengths(store, template, max_length, stream.splits[0]),
        weights={
            split.task.name: torch.from_numpy(split.weights).to(device)
            for split in stream.splits
            if split.weights is not None
        },
        soft={
            split.task.name: torch.from_numpy(np.nan_to_num(split.soft)).to(device)
            for split in stream.splits
            if split.soft is not None
        },
    )


def _grown(shape: int) -> int:
    return max(shape + STEP, int(shape * GROWTH) // STEP * STEP)
