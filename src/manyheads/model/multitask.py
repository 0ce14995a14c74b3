"""MultitaskModel: one encoder and one head per task. Its linear maps can be int8, for faster prediction on a CPU."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from manyheads.data.batch import Part
from manyheads.model.dropout import HEADS_SITE, head_keys, install
from manyheads.model.encoder import Encoder
from manyheads.model.flat import FlatTokens
from manyheads.model.heads import HEADS
from manyheads.process_state import borrowing
from manyheads.ragged import Ragged
from manyheads.tasks.task import Task


class MultitaskModel(nn.Module):
    """A shared encoder and one head per task. Every sequence of a batch is encoded once."""

    def __init__(self, encoder: Encoder, tasks: Sequence[Task]) -> None:
        super().__init__()
        self.encoder = encoder
        self.tasks: Mapping[str, Task] = {task.name: task for task in tasks}
        # The prefix prevents a clash of a task's name with an attribute of nn.Module ("type", "train", ...).
        self.heads = nn.ModuleDict({_key(task.name): build_head(task, encoder.hidden_size) for task in tasks})
        install(self.heads, encoder.stream)

    def forward(self, tokens: FlatTokens, parts: Sequence[Part]) -> list[Tensor]:
        """Return the outputs of every part's head, in order: one tensor[n, outputs] per part.

        That of a part with words or candidates is [N, outputs].
        """
        if all(part.words is None for part in parts):
            vectors = self.encoder(tokens)
            return [self._keyed_outputs(vectors, part, tokens) for part in parts]
        states = self.encoder.states(tokens)
        return [
            self._keyed_outputs(states.texts, part, tokens)
            if part.words is None
            else self._of_words(states.tokens, part, part.words, tokens)
            for part in parts
        ]

    def _of_words(self, vectors: Tensor, part: Part, words: Ragged, tokens: FlatTokens) -> Tensor:
        """Run a part's head on the vectors of tokens[T, hidden] that belong to its words: [words, outputs]."""
        places, keys = torch.from_numpy(words.values).to(vectors.device), tokens.layout.keys
        at = tokens.layout.starts.index_select(0, places[:, 0]) + places[:, 1]
        own = None if keys is None else head_keys(keys.index_select(0, at), part.task, part.source)
        with self.encoder.stream.over(own, site=HEADS_SITE):
            result: Tensor = self.heads[_key(part.task)](vectors.index_select(0, at))
        return result

    def _keyed_outputs(self, vectors: Tensor, part: Part, tokens: FlatTokens) -> Tensor:
        keys = tokens.first_keys
        if keys is not None:
            own = part.sequences[:, 0] if part.candidates is None else part.candidates.values[:, -1]
            keys = head_keys(_select(keys, own), part.task, part.source)
        with self.encoder.stream.over(keys, site=HEADS_SITE):
            return self.outputs(vectors, part)

    def first_outputs(self, tokens: FlatTokens, stream: str, tasks: Sequence[str], rows: int) -> list[Tensor]:
        """Return the outputs[n, outputs] of each task for a batch that begins with the sequences of n rows of a stream.

        All first sequences come first, then all second ones. Later sequences belong to no row.
        """
        vectors, keys = self.encoder(tokens), tokens.first_keys
        results = []
        for task in tasks:
            columns = [vectors.narrow(0, side * rows, rows) for side in range(self.tasks[task].sequences)]
            own = None if keys is None else head_keys(keys.narrow(0, 0, rows), task, stream)
            with self.encoder.stream.over(own, site=HEADS_SITE):
                results.append(self.heads[_key(task)](*columns))
        return results

    def outputs(self, vectors: Tensor, part: Part) -> Tensor:
        """Run a part's head on the sequences of its examples or candidates: vectors[S, hidden] to [n, outputs]."""
        sequences = part.sequences if part.candidates is None else part.candidates.values
        columns = [_select(vectors, column) for column in sequences.T]
        result: Tensor = self.heads[_key(part.task)](*columns)
        return result

    def head(self, task: str) -> nn.Module:
        """Return the head of one task."""
        return self.heads[_key(task)]


def build_head(task: Task, hidden: int) -> nn.Module:
    """Make a new head for a task on vectors of size `hidden`, with weights from torch's generator."""
    head: nn.Module = HEADS[task.head].build(hidden, task.outputs, task.kind.unit, task.dropout, **task.head_options)
    return head


def _key(task: str) -> str:
    return f"task_{task}"


def _select(vectors: Tensor, column: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> Tensor:
    """Select rows of `vectors`. The backward pass of index_select adds repeated rows in a fixed order."""
    if len(column) == len(vectors) and np.array_equal(column, np.arange(len(column))):
        return vectors
    return vectors.index_select(0, torch.from_numpy(np.ascontiguousarray(column)).to(vectors.device))


def to_int8(model: MultitaskModel) -> MultitaskModel:
    """Return a copy whose encoder multiplies in 8-bit integers.

    Weights are quantised per output channel, activations dynamically. The copy can only predict, on a CPU. Heads,
    embeddings, norms and attention stay in 32-bit floats. The outputs differ from the model's own.
    `manyheads evaluate RUN --int8` measures by how much.
    """
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    quantised = copy.deepcopy(model).eval()
    with borrowing(), warnings.catch_warnings():
        # torch warns that these functions will move to another package. The pinned version has them.
        warnings.simplefilter("ignore")
        quantize_dynamic(quantised.encoder, {nn.Linear: per_channel_dynamic_qconfig}, inplace=True)  # type: ignore[no-untyped-call]
    return quantised
