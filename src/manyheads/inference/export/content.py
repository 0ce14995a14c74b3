"""What exports share: files that each contains in addition to its graphs, and the model as one padded module.

The module has inputs as in transformers, and one output per task.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle
from manyheads.inference.graph_engine import VECTOR, task_output
from manyheads.inference.manifest import members_to_json, task_to_json, write_manifest
from manyheads.model.config import read_config
from manyheads.model.encoder import load_model
from manyheads.run.atomic import write_text


def add_to_card(folder: Path, text: str) -> None:
    """Append to the model card of an export. A card is made if the bundle has none.

    Raises:
        BundleError: the card of the bundle, which may be edited, is not UTF-8.
    """
    card = folder / "README.md"
    try:
        before = card.read_text(encoding="utf-8") if card.is_file() else ""
    except UnicodeDecodeError as error:
        hint = "save it as UTF-8, or remove it"
        raise BundleError("the model card cannot be read", where="README.md", found=str(error), hint=hint) from error
    write_text(card, before + text)


def add_common_files(to: Path, target: str, bundle: Bundle, folder: Path, **more: Any) -> None:
    """Add the tokenizer, the model card of the bundle in `folder`, and the manifest with hashes to the folder `to`."""
    bundle.tokenizer.save(to)
    if (folder / "README.md").is_file():
        shutil.copyfile(folder / "README.md", to / "README.md")
    content: Mapping[str, Any] = {
        "export": target,
        "pad_id": bundle.tokenizer.pad_id or 0,
        "max_length": bundle.max_length,
        "tasks": [task_to_json(task) for task in bundle.model.tasks.values()],
        **members_to_json(bundle.model.tasks.values()),
        **more,
    }
    write_manifest(to, content)


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
