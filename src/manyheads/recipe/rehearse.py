"""A rehearsal: the exact schedule of a recipe, and time and memory from a few real steps. Nothing is written."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from manyheads.data.batching import BATCHING, Batching
from manyheads.data.tokenizer import Tokenizer
from manyheads.model.forward import forward_split
from manyheads.model.multitask import MultitaskModel
from manyheads.model.weights import resolve
from manyheads.recipe.audit import FileAudit, Overlap, audit_files, audit_overlaps
from manyheads.recipe.build import build_model, make_optimizer, make_plan, settle, use_threads
from manyheads.recipe.prepare import Prepared, read_tasks, tokenise_tasks
from manyheads.recipe.schema import Recipe
from manyheads.recipe.steps import make_steps
from manyheads.training.plan import Plan

WARM, TIMED = 3, 8
"""Steps before the clock runs, and steps that it times."""

SAMPLE = 256
"""Dev examples that are evaluated to estimate the time of an evaluation."""


@dataclass(frozen=True)
class TaskSchedule:
    """How often a task is seen: updates that hold it, and how many times each example is on average."""

    task: str
    steps: int
    times: float


@dataclass(frozen=True)
class Rehearsal:
    """What a dry run finds. Seconds are estimates for the whole run; `peak_gib` is this process's peak so far."""

    recipe: Recipe
    files: Sequence[FileAudit]
    overlaps: Sequence[Overlap]
    warnings: Sequence[str]
    plan: Plan
    schedule: Sequence[TaskSchedule]
    training_seconds: float
    evaluation_seconds: float
    examples_per_second: float
    peak_gib: float
    parameters: int

    @property
    def stops(self) -> bool:
        """Whether training would stop at a bad row."""
        return any(audit.rejected and self.recipe.tasks[audit.task].on_bad_rows == "error" for audit in self.files)


def rehearse(recipe: Recipe) -> Rehearsal:
    """Read and audit everything that the recipe names, then time a few steps.

    Bad rows are collected even where the recipe says that they are errors.

    Raises:
        ManyheadsError: a file is missing or has no usable row, or the encoder cannot be used.
    """
    threads = use_threads(recipe)
    warnings: list[str] = []

    def note(event: str, **fields: Any) -> None:
        if event in ("warning", "note") and "were skipped" not in fields["text"]:
            warnings.append(fields["text"])

    lenient = {name: options.model_copy(update={"on_bad_rows": "skip"}) for name, options in recipe.tasks.items()}
    data = read_tasks(recipe.model_copy(update={"tasks": lenient}), note)
    settled = settle(recipe, [each.task for each in data], threads)
    source = resolve(recipe.encoder, Path.cwd())
    tokenizer = Tokenizer.load(source.folder)
    prepared = tokenise_tasks(data, tokenizer)
    model = build_model(settled, source, prepared.tasks)
    if model.encoder.note:
        warnings.append(model.encoder.note)
    max_length = min(recipe.model.max_length, model.encoder.max_length)
    sizes = {name: len(split) for name, split in prepared.train.items()}
    batching = BATCHING[recipe.batching.strategy](sizes, recipe.batching.batch_size, recipe.seed)
    plan = make_plan(settled, batching)
    step_seconds, rate = _time_steps(settled, model, prepared, tokenizer, max_length, batching, plan)
    return Rehearsal(
        recipe=settled,
        files=audit_files(prepared, tokenizer.template, max_length),
        overlaps=audit_overlaps(data),
        warnings=warnings,
        plan=plan,
        schedule=_schedule(batching, plan, sizes),
        training_seconds=step_seconds * plan.total_steps,
        evaluation_seconds=_time_evaluation(model, prepared, tokenizer, max_length) * _evaluations(plan),
        examples_per_second=rate,
        peak_gib=_peak_gib(),
        parameters=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
    )


def _schedule(batching: Batching, plan: Plan, sizes: dict[str, int]) -> list[TaskSchedule]:
    """Counted from the batches themselves, so that it is what will happen."""
    steps: Counter[str] = Counter()
    examples: Counter[str] = Counter()
    for step in range(plan.total_steps):
        parts = [part for number in plan.batches(step) for part in batching.batch(number)]
        steps.update({task for task, _ in parts})
        for task, rows in parts:
            examples[task] += len(rows)
    return [TaskSchedule(task, steps[task], examples[task] / size) for task, size in sizes.items()]


def _time_steps(
    recipe: Recipe,
    model: MultitaskModel,
    prepared: Prepared,
    tokenizer: Tokenizer,
    max_length: int,
    batching: Batching,
    plan: Plan,
) -> tuple[float, float]:
    """Seconds an update and examples a second, over batches spread evenly over the run."""
    optimizer = make_optimizer(recipe, model)
    steps = make_steps(recipe, model, optimizer, prepared, tokenizer.template, max_length, batching)
    places = np.linspace(0, plan.total_steps - 1, WARM + TIMED).astype(int)
    started, examples = 0.0, 0
    for count, step in enumerate(places):
        if count == WARM:
            started = time.perf_counter()
        batches = [steps.batch(number) for number in plan.batches(int(step))]
        steps.stepper.advance(int(step), batches)
        examples += sum(batch.examples for batch in batches) if count >= WARM else 0
    steps.stepper.wait()
    seconds = time.perf_counter() - started
    return seconds / TIMED, examples / seconds


def _time_evaluation(model: MultitaskModel, prepared: Prepared, tokenizer: Tokenizer, max_length: int) -> float:
    """Seconds for one evaluation of all dev files, from a sample of each."""
    total = 0.0
    device = next(model.parameters()).device
    for split in prepared.dev.values():
        rows = np.linspace(0, len(split) - 1, min(SAMPLE, len(split))).astype(np.int64)
        sample = split.take(rows)
        started = time.perf_counter()
        forward_split(model, prepared.store, tokenizer.template, sample, max_length=max_length, device=device)
        total += (time.perf_counter() - started) * len(split) / len(rows)
    return total


def _evaluations(plan: Plan) -> int:
    return sum(plan.evaluates(done) for done in range(1, plan.total_steps + 1))


def _peak_gib() -> float:
    """The process's peak memory; the system counts it in KiB, on macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
