"""The plain loop that manyheads is measured against: the padded transformers model, torch's own parts."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel
from transformers.utils import logging

from manyheads.data.batch import Batch
from manyheads.model.losses import task_loss
from manyheads.model.multitask import build_head
from manyheads.model.weights import EncoderSource
from manyheads.recipe.schema import Recipe
from manyheads.tasks.task import Task


class PlainLoop:
    """Padded batches, sdpa attention, fused AdamW; the recipe's dropouts, losses and weights."""

    def __init__(self, recipe: Recipe, source: EncoderSource, tasks: Sequence[Task]) -> None:
        logging.disable_progress_bar()
        config = AutoConfig.from_pretrained(source.folder)
        for name, value in (
            ("hidden_dropout_prob", recipe.model.dropout),
            ("attention_probs_dropout_prob", recipe.model.attention_dropout),
        ):
            if value is not None:
                setattr(config, name, value)
        self.encoder = AutoModel.from_pretrained(source.folder, config=config, attn_implementation="sdpa")
        self.tasks = {task.name: task for task in tasks}
        self.heads = nn.ModuleDict({task.name: build_head(task, config.hidden_size) for task in tasks})
        self.parameters = [*self.encoder.parameters(), *self.heads.parameters()]
        self.optimizer = torch.optim.AdamW(self.parameters, lr=recipe.training.learning_rate, fused=True)
        self.clip_norm = recipe.training.clip_norm

    def update(self, batch: Batch) -> None:
        """One step on a batch whose sequences are padded to its longest one."""
        self.encoder.train()
        self.heads.train()
        self.optimizer.zero_grad()
        vectors = self.encoder(**_padded(batch)).pooler_output
        losses = []
        for part in batch.parts:
            columns = [vectors[torch.from_numpy(column)] for column in part.sequences.T]
            outputs = self.heads[part.task](*columns)
            task = self.tasks[part.task]
            losses.append(task.loss_weight * task_loss(task, outputs, torch.from_numpy(part.targets)).mean())
        torch.stack(losses).sum().backward()
        nn.utils.clip_grad_norm_(self.parameters, self.clip_norm)
        self.optimizer.step()


def _padded(batch: Batch) -> dict[str, Tensor]:
    lengths = torch.from_numpy(batch.offsets).diff()
    mask = torch.arange(batch.max_length)[None] < lengths[:, None]

    def pad(values: Tensor) -> Tensor:
        return torch.zeros(mask.shape, dtype=torch.long).masked_scatter_(mask, values.long())

    return {
        "input_ids": pad(torch.from_numpy(batch.token_ids)),
        "token_type_ids": pad(torch.from_numpy(batch.segment_ids)),
        "attention_mask": mask.long(),
    }
