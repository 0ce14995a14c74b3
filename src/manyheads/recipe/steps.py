"""The updates of a run: from batches in host memory, or on a GPU from data in its memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from manyheads.data.batching import Batching
from manyheads.data.dataset import assemble
from manyheads.data.tokenizer import Template
from manyheads.model.losses.contrastive import BatchLoss
from manyheads.model.multitask import MultitaskModel
from manyheads.recipe.build import make_losses, make_stepper, make_weighting
from manyheads.recipe.prepare import Prepared
from manyheads.recipe.schema import Recipe
from manyheads.tasks.kind import known
from manyheads.training.device.resident import Resident
from manyheads.training.device.stepper import DeviceStepper, Picks
from manyheads.training.distributed import ALONE, Processes
from manyheads.training.shared import SharedStop
from manyheads.training.step import Stepper


@dataclass(frozen=True)
class Steps:
    """A stepper and its batches. `batch(k)` is a pure function of k. `note`: a message for the user, or None."""

    stepper: Stepper[Any]
    batch: Callable[[int], Any]
    note: str | None


def make_steps(
    recipe: Recipe,
    model: MultitaskModel,
    optimizer: torch.optim.AdamW,
    prepared: Prepared,
    template: Template,
    max_length: int,
    batching: Batching,
    processes: Processes = ALONE,
    stop: SharedStop | None = None,
) -> Steps:
    """Build the stepper and the batches for the recipe and its device."""
    streams = prepared.streams
    if recipe.device == "cuda":
        obstacle = graph_obstacle(recipe, model, processes)
        if obstacle is None:
            return _on_device(recipe, model, optimizer, prepared, template, max_length, batching)
        note = f"steps run one by one, without CUDA graphs: {obstacle}"
    else:
        note = None
    return Steps(
        stepper=make_stepper(recipe, model, optimizer, processes, stop, prepared.class_weights),
        batch=lambda k: assemble(
            prepared.store, template, max_length, [(streams[name], rows) for name, rows in batching.batch(k)]
        ),
        note=note,
    )


def graph_obstacle(recipe: Recipe, model: MultitaskModel, processes: Processes = ALONE) -> str | None:
    """Return why the steps cannot run as CUDA graphs, which require fixed shapes. None if they can."""
    encoder = model.encoder
    compared = [name for name, loss in make_losses(recipe, model).items() if isinstance(loss, BatchLoss)]
    obstacles = {
        f"the loss of {', '.join(compared)} compares the rows of a batch": bool(compared),
        "training uses several processes": processes.size > 1,
        f"training.accumulation is {recipe.training.accumulation}": recipe.training.accumulation > 1,
        f"precision is {recipe.precision}, and the variable-length kernel requires bfloat16": recipe.precision
        != "bfloat16",
        f"attention dropout is {encoder.attention_dropout}, which the variable-length kernel does not support": (
            encoder.attention_dropout > 0
        ),
        "a task reads words or candidates, whose number differs from row to row": any(
            task.kind.ragged_outputs for task in model.tasks.values()
        ),
        "the encoder does not support flat batches, or has sliding windows": not encoder.flat or encoder.windowed,
    }
    return next((reason for reason, applies in obstacles.items() if applies), None)


def _on_device(
    recipe: Recipe,
    model: MultitaskModel,
    optimizer: torch.optim.AdamW,
    prepared: Prepared,
    template: Template,
    max_length: int,
    batching: Batching,
) -> Steps:
    device = torch.device(recipe.device)
    streams = prepared.streams
    resident = Resident.of(prepared.store, template, streams, max_length=max_length, device=device)
    stepper = DeviceStepper(
        model,
        resident,
        optimizer,
        make_losses(recipe, model, prepared.class_weights),
        make_weighting(recipe, model),
        size=recipe.batching.batch_size,
        seed=recipe.seed,
        clip_norm=recipe.training.clip_norm,
        precision=recipe.precision,
    )

    def batch(k: int) -> Picks:
        ((name, rows),) = batching.batch(k)
        labels = {split.task.name: int(np.count_nonzero(known(split.targets[rows]))) for split in streams[name].splits}
        return Picks(name, rows, int(resident.streams[name].tokens[rows].sum()), labels)

    return Steps(stepper, batch, "steps run as CUDA graphs; losses are reported a few steps late")
