"""The updates of a training run, for benchmarks of their parts."""

from __future__ import annotations

from typing import TypeVar

import torch

from benchmarks.work import Work
from manyheads.data.batch import Batch
from manyheads.model.embedding import keep_rows
from manyheads.model.multitask import MultitaskModel
from manyheads.recipe.build import build_model, keep_freed_memory, make_losses, make_optimizer, make_weighting
from manyheads.training.step import Stepper, TaskLosses

S = TypeVar("S", bound=Stepper[Batch])


def make_updates(work: Work, kind: type[S]) -> tuple[MultitaskModel, S]:
    """Make a new model of a recipe and the stepper that trains it."""
    keep_freed_memory()
    model = build_model(work.recipe, work.source, work.prepared.tasks)
    stepper = kind(
        model,
        TaskLosses(model, make_losses(work.recipe, model), device=torch.device("cpu")),
        make_optimizer(work.recipe, model),
        make_weighting(work.recipe, model),
        seed=work.recipe.seed,
        clip_norm=work.recipe.training.clip_norm,
        rows=keep_rows(model.encoder.model),
    )
    return model, stepper
