"""The padded model of the other programs: transformers' own, with the same heads, losses, weights and dropouts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from benchmarks.work import Work
from manyheads.data.batch import Batch, Part
from manyheads.model.multitask import build_head
from manyheads.recipe.tasks import task_loss


class PaddedModel(nn.Module):
    """A padded encoder with one head per task. Its forward returns what transformers' Trainer needs."""

    def __init__(self, work: Work) -> None:
        super().__init__()
        logging.disable_progress_bar()
        config = AutoConfig.from_pretrained(work.source.folder)
        options = work.recipe.model
        for name, value in (
            ("hidden_dropout_prob", options.dropout),
            ("attention_probs_dropout_prob", options.attention_dropout),
        ):
            if value is not None:
                setattr(config, name, value)
        self.encoder = AutoModel.from_pretrained(work.source.folder, config=config, attn_implementation="sdpa")
        self.recipe = work.recipe
        tasks = {task.name: task for task in work.prepared.tasks}
        self.losses = {name: task_loss(work.recipe.tasks[name], task.kind) for name, task in tasks.items()}
        self.heads = nn.ModuleDict({name: build_head(task, config.hidden_size) for name, task in tasks.items()})

    def forward(self, parts: Sequence[Part], **inputs: Tensor) -> dict[str, Any]:
        """Return the weighted loss of a padded batch and the outputs."""
        vectors = self.encoder(**inputs).pooler_output
        losses, outputs = [], []
        for part in parts:
            columns = [vectors[torch.from_numpy(column)] for column in part.sequences.T]
            outputs.append(self.heads[part.task](*columns))
            loss = self.losses[part.task](outputs[-1], torch.from_numpy(part.targets)).mean()
            losses.append(self.recipe.tasks[part.task].loss_weight * loss)
        return {"loss": torch.stack(losses).sum(), "logits": torch.cat([each.flatten() for each in outputs])}


def padded(batch: Batch) -> dict[str, Any]:
    """Convert a flat batch to arguments of PaddedModel. Every sequence is padded to the longest."""
    lengths = torch.from_numpy(batch.offsets).diff()
    mask = torch.arange(batch.max_length)[None] < lengths[:, None]

    def pad(values: Tensor) -> Tensor:
        return torch.zeros(mask.shape, dtype=torch.long).masked_scatter_(mask, values.long())

    return {
        "parts": batch.parts,
        "input_ids": pad(torch.from_numpy(batch.token_ids)),
        "token_type_ids": pad(torch.from_numpy(batch.segment_ids)),
        "attention_mask": mask.long(),
    }
