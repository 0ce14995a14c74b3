"""Build the parts of a run. Each function builds one component from its options in the recipe.

The updates of a run read batches in host memory, or on a GPU the data in its memory.
"""

from __future__ import annotations

import ctypes
import os
import platform
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyheads.data.batch import Batch
from manyheads.data.batching import Batching
from manyheads.data.dataset import assemble
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template, Tokenizer
from manyheads.errors import RecipeError, RunError
from manyheads.model.agreement import agreement_notes, check_agreement, special_texts
from manyheads.model.embedding import keep_rows
from manyheads.model.encoder import check_folder, load_encoder
from manyheads.model.losses import LOSSES, LossFunction, Weights
from manyheads.model.losses.contrastive import BatchLoss, VectorLossOptions
from manyheads.model.multitask import MultitaskModel
from manyheads.model.weights import EncoderSource, resolve
from manyheads.process_state import borrowing
from manyheads.recipe.load import members_of
from manyheads.recipe.prepare import Prepared
from manyheads.recipe.schema import Recipe
from manyheads.recipe.tasks import loss_of, resolved_options, task_loss
from manyheads.tasks.kind import known
from manyheads.tasks.task import Task
from manyheads.training.device import DeviceStepper, Picks, Resident
from manyheads.training.distributed import ALONE, Processes, SharedStepper, SharedStop
from manyheads.training.optimizer import build_optimizer
from manyheads.training.plan import Plan
from manyheads.training.step import Stepper, TaskLosses
from manyheads.training.stop import StopFlag
from manyheads.training.weighting import Weighting, build_weighting


def use_threads(recipe: Recipe, processes: Processes = ALONE) -> int:
    """Set the number of torch threads and return it.

    Without `threads` in the recipe, the number is this process's share of the cores of this machine.
    """
    threads = recipe.threads or max(1, len(os.sched_getaffinity(0)) // processes.local_size)
    torch.set_num_threads(threads)
    return threads


def resolve_recipe(recipe: Recipe, tasks: Sequence[Task], threads: int) -> Recipe:
    """Return the recipe with all automatic choices filled in, so that it repeats the run on any machine.

    Raises:
        RunError: The recipe requires a CUDA device and there is none.
    """
    device = recipe.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise RunError(
            "no CUDA device is available", where="device", found=device, hint='set device = "auto" or device = "cpu"'
        )
    precision = recipe.precision
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" else "float32"
    options = {task.name: resolved_options(recipe.tasks[task.name], task) for task in tasks}
    update = {"threads": threads, "device": device, "precision": precision, "tasks": options}
    resolved = recipe.model_copy(update=update)
    return resolved.model_copy(update={"members": members_of(resolved)})


def open_encoder(recipe: Recipe) -> tuple[EncoderSource, Tokenizer]:
    """Find the encoder of a recipe, check its architecture, and load its tokenizer.

    Raises:
        EncoderError: The encoder is not found, its architecture cannot be used, or its tokenizer cannot be read.
    """
    source = resolve(recipe.encoder, Path.cwd())
    check_folder(source.folder, untested=recipe.model.untested)
    return source, Tokenizer.load(source.folder, complete=True)


def compare_with_tokenizer(recipe: Recipe, model: MultitaskModel, tokenizer: Tokenizer, store: TextStore) -> list[str]:
    """Compare the tokenizer with the encoder of a model. Return notes for the user.

    Raises:
        EncoderError: They do not belong together.
    """
    pairs = any(task.pair == "cross" for task in model.tasks.values())
    check_agreement(model.encoder, tokenizer, recipe.encoder, pairs=pairs)
    set_by_user = "max_length" in recipe.model.model_fields_set
    wanted = recipe.model.max_length if set_by_user else None
    notes = agreement_notes(model.encoder, tokenizer, wanted_length=wanted)
    count = special_texts(tokenizer, store)
    if count:
        texts = "1 text contains" if count == 1 else f"{count:,} texts contain"
        notes.append(f"{texts} special tokens such as [SEP] or <pad>, which the encoder reads as special tokens")
    return notes


def build_model(recipe: Recipe, source: EncoderSource, tasks: Sequence[Task]) -> MultitaskModel:
    """Build the model on the recipe's device: the encoder with its weights, and new heads.

    The recipe's seed determines the random weights.
    """
    with borrowing():
        torch.manual_seed(recipe.seed)
        encoder = load_encoder(
            source.folder,
            pooling=recipe.model.pooling,
            dropout=recipe.model.dropout,
            attention_dropout=recipe.model.attention_dropout,
            untested=recipe.model.untested,
        )
        model = MultitaskModel(encoder, tasks).to(torch.device(recipe.device))
    if recipe.model.freeze_encoder:
        encoder.requires_grad_(False)
    return model


def make_plan(recipe: Recipe, batching: Batching) -> Plan:
    """Build the plan of the run: its steps, evaluations and checkpoints."""
    training = recipe.training
    return Plan(
        batches_per_epoch=batching.steps_per_epoch,
        epochs=training.epochs,
        accumulation=training.accumulation,
        max_steps=training.max_steps,
        evaluate_every=training.evaluate_every,
        checkpoint_every=training.checkpoint_every,
    )


def make_optimizer(recipe: Recipe, model: MultitaskModel) -> torch.optim.AdamW:
    """Build the optimiser over the trainable parameters of a model."""
    training = recipe.training
    return build_optimizer(
        model,
        learning_rate=training.learning_rate,
        betas=(training.betas[0], training.betas[1]),
        eps=training.eps,
        weight_decay=training.weight_decay,
    )


def make_weighting(recipe: Recipe, model: MultitaskModel) -> Weighting:
    """Build the weighting, which combines the losses of the tasks into one loss."""
    weights = {name: recipe.tasks[name].loss_weight for name in model.tasks}
    return build_weighting(recipe.training.weighting, weights)


def make_losses(
    recipe: Recipe, model: MultitaskModel, class_weights: Mapping[str, Weights] | None = None
) -> dict[str, LossFunction]:
    """Build the loss of every task. `class_weights`: those of the tasks whose weights are balanced.

    Raises:
        RecipeError: A loss compares rows and batches have one row, or a size of truncated vectors is too large.
    """
    for name, task in model.tasks.items():
        _check_loss(recipe, name, task, model)
    computed = class_weights or {}
    return {name: task_loss(recipe.tasks[name], task.kind, computed.get(name)) for name, task in model.tasks.items()}


def _check_loss(recipe: Recipe, name: str, task: Task, model: MultitaskModel) -> None:
    least, rows = LOSSES[task.loss].least_rows, recipe.batching.batch_size
    if rows < least:
        what = f"the loss {task.loss} of task {name} compares the rows of a batch, so a batch needs several rows"
        raise RecipeError(what, where="batching.batch_size", found=rows, allowed=f"at least {least}")
    options = loss_of(recipe.tasks[name], task.kind)
    size = getattr(model.head(name), "size", None)
    if isinstance(options, VectorLossOptions) and isinstance(size, int) and max(options.matryoshka or [1]) > size:
        where, allowed = f"tasks.{name}.loss.matryoshka", f"at most {size}, the size of the vectors"
        raise RecipeError("a size is larger than the vectors", where=where, found=options.matryoshka, allowed=allowed)


def make_stepper(
    recipe: Recipe,
    model: MultitaskModel,
    optimizer: torch.optim.AdamW,
    processes: Processes = ALONE,
    stop: SharedStop | None = None,
    class_weights: Mapping[str, Weights] | None = None,
) -> Stepper[Batch]:
    """Build the stepper, which updates the model. With several processes, each update uses all of them."""
    losses = TaskLosses(
        model,
        make_losses(recipe, model, class_weights),
        device=torch.device(recipe.device),
        precision=recipe.precision,
    )
    weighting = make_weighting(recipe, model)
    seed, clip_norm = recipe.seed, recipe.training.clip_norm
    if processes.size == 1:
        # Finding the rows in use makes a CUDA device wait for the host. There the dense gradient costs almost nothing.
        rows = keep_rows(model.encoder.model) if recipe.device == "cpu" and not recipe.model.freeze_encoder else []
        return Stepper(model, losses, optimizer, weighting, seed=seed, clip_norm=clip_norm, rows=rows)
    return SharedStepper(
        model,
        losses,
        optimizer,
        weighting,
        seed=seed,
        clip_norm=clip_norm,
        processes=processes,
        stop=SharedStop(StopFlag(), processes) if stop is None else stop,
    )


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


TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""`M_TRIM_THRESHOLD` and `M_MMAP_THRESHOLD` of glibc's mallopt(3)."""

LARGEST_HEAP_BLOCK = 32 << 20
"""Bytes. The highest M_MMAP_THRESHOLD that glibc allows on 64-bit machines."""


@cache
def keep_freed_memory() -> bool:
    """Make the C library keep freed memory for the next step, for the rest of the process. Return whether it worked.

    By default glibc returns every gradient of some megabytes to the system, and the next step needs thousands of page
    faults to get it back. That is 5% of a step at batches of 8 (LOG.md). Other C libraries are not changed.
    """
    if platform.libc_ver()[0] != "glibc":
        return False
    library = ctypes.CDLL(None)
    settings = ((TRIM_THRESHOLD, 2**31 - 1), (MMAP_THRESHOLD, LARGEST_HEAP_BLOCK))
    return all(library.mallopt(name, value) == 1 for name, value in settings)
