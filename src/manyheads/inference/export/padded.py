"""The model as one padded module for exporters: inputs as in transformers, one output per task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from manyheads.inference.bundle import Bundle
from manyheads.inference.graph_engine import VECTOR, task_output
from manyheads.model.config import read_config
from manyheads.model.encoder import load_model


class PaddedModel(nn.Module):
    """The padded encoder with eager attention, its pooling, and the heads of all tasks that read one sequence.

    `names`: names of the outputs, in order.
    """

    def __init__(self, bundle: Bundle, folder: Path) -> None:
        super().__init__()
        single = [name for name, task in bundle.model.tasks.items() if task.sequences == 1]
        self.encoder: Any = load_model(folder, read_config(folder), "eager")[0]
        self.segments = bundle.model.encoder.takes_segments
        self.offset = bundle.model.encoder.offset
        self.pooling = bundle.model.encoder.pooling
        self.heads = nn.ModuleList([bundle.model.head(name) for name in single])
        self.of_tokens = [bundle.model.tasks[name].kind.reads == "tokens" for name in single]
        self.names = [VECTOR, *map(task_output, single)]

    def forward(self, input_ids: Tensor, attention_mask: Tensor, token_type_ids: Tensor | None = None) -> Any:
        """Map int64[S, L] inputs to a vector[S, hidden] and the outputs of each head.

        They are [S, outputs], or [S, L, outputs] for a head that reads tokens.
        """
        segments = {"token_type_ids": token_type_ids} if self.segments else {}
        # Positions after a padding index follow from the mask: a token of the text may have the padding's id.
        ends = attention_mask.cumsum(1) * attention_mask
        positions = {"position_ids": ends + (self.offset - 1)} if self.offset else {}
        states = self.encoder(input_ids=input_ids, attention_mask=attention_mask, **segments, **positions)
        if self.pooling == "pooler":
            vector = states.pooler_output
        elif self.pooling == "first":
            vector = states.last_hidden_state[:, 0]
        else:
            weights = attention_mask.unsqueeze(-1).to(torch.float32)
            vector = (states.last_hidden_state * weights).sum(1) / weights.sum(1)
        read = (states.last_hidden_state if each else vector for each in self.of_tokens)
        return (vector, *(head(each) for head, each in zip(self.heads, read, strict=True)))

    def example(self) -> dict[str, Tensor]:
        """Return inputs for tracing: two sequences of eight and six tokens."""
        ids = torch.full((2, 8), 5, dtype=torch.int64)
        mask = torch.ones_like(ids)
        mask[1, 6:] = 0
        inputs = {"input_ids": ids, "attention_mask": mask}
        return {**inputs, "token_type_ids": torch.zeros_like(ids)} if self.segments else inputs


def pair_example(hidden: int) -> dict[str, Tensor]:
    """Return inputs for tracing the head of a bi-encoded pair task: two pairs of vectors."""
    return {"first": torch.rand(2, hidden), "second": torch.rand(2, hidden)}
