"""The engine for bundles in torch, and its token weights: gradient x input.

The weight of a token is the dot product of its word vector with the gradient of an output by that vector. A positive
weight supports the prediction.

Source: Shrikumar et al. 2016 (arXiv:1605.01713).
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import cosine_similarity

from manyheads.data.dataset import Split, assemble, sequences_of
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Tokenizer
from manyheads.inference.bundle import Bundle
from manyheads.inference.engine import TokenWeight
from manyheads.model.flat import FlatTokens
from manyheads.model.forward import forward_split, forward_streams
from manyheads.model.multitask import MultitaskModel
from manyheads.ragged import Rows
from manyheads.tasks.kind import Kind
from manyheads.tasks.task import Task


class TorchEngine:
    """A bundle on a device, by default the CPU."""

    explains = True

    def __init__(self, bundle: Bundle, device: torch.device | None = None) -> None:
        self._device = device or torch.device("cpu")
        self._bundle = bundle
        self._model = bundle.model.to(self._device)

    @property
    def tasks(self) -> Mapping[str, Task]:
        """The tasks of the model, by name."""
        return self._model.tasks

    @property
    def survives_fork(self) -> bool:
        """Whether a forked process can use the engine of its parent: on the CPU only."""
        return self._device.type == "cpu"

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer of the model."""
        return self._bundle.tokenizer

    def outputs(self, store: TextStore, split: Split) -> Rows:
        """Return the head's outputs for every example, in the order of the split: float32[n, outputs], or ragged."""
        template, length = self.tokenizer.template, self._bundle.max_length
        return forward_split(self._model, store, template, split, max_length=length, device=self._device)

    def outputs_several(self, store: TextStore, splits: Sequence[Split]) -> list[Rows]:
        """Return `outputs` for several splits. A sequence that several splits read is encoded once."""
        template, length = self.tokenizer.template, self._bundle.max_length
        return forward_streams(
            self._model, store, template, splits, max_length=length, device=self._device, share_texts=True
        )

    def explain(self, store: TextStore, split: Split) -> list[list[TokenWeight]]:
        """Return the token weights of each text of a split with one example: gradient x input."""
        return _token_weights(self._model, self.tokenizer, store, split, self._bundle.max_length, self._device)


def _token_weights(
    model: MultitaskModel, tokenizer: Tokenizer, store: TextStore, split: Split, max_length: int, device: torch.device
) -> list[list[TokenWeight]]:
    """Return the weights of the tokens of each text of a split with one example, and of each of its candidates.

    Special tokens and tokens that were truncated have no weight. The weight of a token of a text that is encoded with
    each candidate is the sum over these sequences.
    """
    batch = assemble(store, tokenizer.template, max_length, [(split, np.zeros(1, dtype=np.int64))])
    with torch.enable_grad(), _leaf_of(model) as leaves:
        (outputs,) = model(FlatTokens.from_batch(batch, device), batch.parts)
        own = outputs[0] if split.candidates is None else outputs[:, 0]
        (gradient,) = torch.autograd.grad(_score(own, split.task.kind), leaves[0])
    scores = (gradient * leaves[0].detach()).sum(-1).reshape(-1).float().cpu().numpy()
    form, _, kept = sequences_of(store, tokenizer.template, max_length, split)
    found, at = [], 0
    for side in kept[0]:
        at += len(form.special[0])
        for column, count in enumerate(side):
            places = slice(at, at + int(count))
            found.append((batch.token_ids[places], scores[places]))
            at += int(count) + len(form.special[column + 1])
    if split.candidates is not None and split.task.sequences == 1:
        found = [_summed(found[::2]), *found[1::2]]
    largest, pieces = max(float(np.abs(each).max(initial=0.0)) for _, each in found), tokenizer.pieces
    return [
        [
            TokenWeight(pieces[token], round(float(score) / max(largest, 1e-12), 4))
            for token, score in zip(tokens, each, strict=True)
        ]
        for tokens, each in found
    ]


def _summed(copies: Sequence[tuple[NDArray[np.int32], NDArray[np.float32]]]) -> tuple[Any, Any]:
    """Return the tokens of a text and the sums of their scores in all sequences, of which some may truncate it."""
    tokens = max((tokens for tokens, _ in copies), key=len)
    total = np.zeros(len(tokens), dtype=np.float32)
    for _, scores in copies:
        total[: len(scores)] += scores
    return tokens, total


def _score(outputs: Tensor, kind: Kind) -> Tensor:
    """Return the scalar to differentiate.

    It is the cosine of two vectors, the value (regression), the logit in the direction of the predicted class (one
    logit), the largest logit of independent labels, or the log probability of the predicted class or of the chosen
    candidate. The probability is used instead of the logit because a word that raises all logits equally does not
    support any class.
    """
    if kind.vectors:
        first, second = outputs.chunk(2)
        return cosine_similarity(first, second, dim=0)
    if not kind.exclusive:
        return outputs.max()
    if len(outputs) > 1:
        return outputs.log_softmax(0).max()
    return outputs[0] if kind.unit or outputs[0] > 0 else -outputs[0]


@contextmanager
def _leaf_of(model: MultitaskModel) -> Iterator[list[Tensor]]:
    """Make this thread's word vectors leaves of the autograd graph within the block, and append them to the list."""
    leaves: list[Tensor] = []
    own = threading.get_ident()

    def detach(module: Any, inputs: Any, output: Tensor) -> Tensor:
        del module, inputs
        if threading.get_ident() != own:  # another thread predicts with the same model
            return output
        leaves.append(output.detach().requires_grad_())
        return leaves[-1]

    handle = model.encoder.model.get_input_embeddings().register_forward_hook(detach)
    try:
        yield leaves
    finally:
        handle.remove()
