"""A dry run of a recipe: its exact schedule, and its time and memory from a few real steps. No file is written."""

from __future__ import annotations

import resource
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.checks.audit import FileAudit, Overlap, audit_files, audit_overlaps
from manyheads.data.batching import Batching, build_batching
from manyheads.data.tokenizer import Tokenizer
from manyheads.model.forward import forward_split
from manyheads.model.multitask import MultitaskModel
from manyheads.recipe.build import (
    build_model,
    compare_with_tokenizer,
    make_optimizer,
    make_plan,
    make_steps,
    open_encoder,
    resolve_recipe,
    use_threads,
)
from manyheads.recipe.prepare import Prepared, read_tasks, tokenise_tasks
from manyheads.recipe.schema import Recipe
from manyheads.tasks.kind import known
from manyheads.training.plan import Plan

WARM, TIMED = 3, 8
"""Number of untimed warm-up steps, and number of timed steps."""

SAMPLE = 256
"""Maximum number of dev examples per task for the estimate of the evaluation time."""


@dataclass(frozen=True)
class TaskSchedule:
    """How often a task is trained on: the number of updates with this task, and the mean number of uses per example."""

    task: str
    steps: int
    times: float


@dataclass(frozen=True)
class StreamRows:
    """The training rows that several tasks read, and the number of labels of each task. The other cells are empty."""

    rows: int
    labels: Mapping[str, int]


@dataclass(frozen=True)
class Rehearsal:
    """The result of a dry run.

    `training_seconds` and `evaluation_seconds` are estimates for the whole run. `peak_gib` is the peak memory of this
    process so far.
    """

    recipe: Recipe
    files: Sequence[FileAudit]
    overlaps: Sequence[Overlap]
    warnings: Sequence[str]
    plan: Plan
    schedule: Sequence[TaskSchedule]
    streams: Sequence[StreamRows]
    training_seconds: float
    evaluation_seconds: float
    examples_per_second: float
    peak_gib: float
    parameters: int

    @property
    def stops(self) -> bool:
        """Whether training would stop at an invalid row."""
        return any(audit.rejected and self.recipe.tasks[audit.task].on_bad_rows == "error" for audit in self.files)


def rehearse(recipe: Recipe) -> Rehearsal:
    """Read and audit all files of the recipe, then time a few steps.

    Invalid rows are collected even if the recipe treats them as errors.

    Raises:
        ManyheadsError: A file is missing or has no valid row, or the encoder cannot be used.
    """
    threads = use_threads(recipe)
    warnings: list[str] = []

    def note(event: str, **fields: Any) -> None:
        # The audit lists the rejected rows themselves.
        if event in ("warning", "note") and "rejected" not in fields:
            warnings.append(fields["text"])

    lenient = {name: options.model_copy(update={"on_bad_rows": "skip"}) for name, options in recipe.tasks.items()}
    data = read_tasks(recipe.model_copy(update={"tasks": lenient}), note)
    resolved = resolve_recipe(recipe, [each.task for each in data], threads)
    source, tokenizer = open_encoder(recipe)
    prepared = tokenise_tasks(data, tokenizer)
    model = build_model(resolved, source, prepared.tasks)
    if model.encoder.note:
        warnings.append(model.encoder.note)
    warnings += compare_with_tokenizer(recipe, model, tokenizer, prepared.store)
    max_length = min(recipe.model.max_length, model.encoder.max_length)
    sizes = {name: len(stream) for name, stream in prepared.streams.items()}
    batching = build_batching(recipe.batching.strategy, sizes, recipe.batching.batch_size, recipe.seed)
    plan = make_plan(resolved, batching)
    step_seconds, rate = _time_steps(resolved, model, prepared, tokenizer, max_length, batching, plan)
    return Rehearsal(
        recipe=resolved,
        files=audit_files(prepared, tokenizer.template, max_length),
        overlaps=audit_overlaps(data),
        warnings=warnings,
        plan=plan,
        schedule=_schedule(batching, plan, prepared),
        streams=_streams(prepared),
        training_seconds=step_seconds * plan.total_steps,
        evaluation_seconds=_time_evaluation(model, prepared, tokenizer, max_length) * _evaluations(plan),
        examples_per_second=rate,
        peak_gib=_peak_gib(),
        parameters=sum(parameter.numel() for parameter in model.parameters() if parameter.requires_grad),
    )


def _schedule(batching: Batching, plan: Plan, prepared: Prepared) -> list[TaskSchedule]:
    """Count the updates and examples of each task in the batches that the run will use."""
    steps: Counter[str] = Counter()
    examples: Counter[str] = Counter()
    labelled = {task: known(split.targets) for task, split in prepared.train.items()}
    tasks = {name: [split.task.name for split in stream.splits] for name, stream in prepared.streams.items()}
    for step in range(plan.total_steps):
        own: Counter[str] = Counter()
        for number in plan.batches(step):
            for stream, rows in batching.batch(number):
                own.update({task: int(np.count_nonzero(labelled[task][rows])) for task in tasks[stream]})
        steps.update({task for task, count in own.items() if count})
        examples.update(own)
    return [TaskSchedule(task, steps[task], examples[task] / split.labels) for task, split in prepared.train.items()]


def _streams(prepared: Prepared) -> list[StreamRows]:
    """Return the streams that several tasks read."""
    return [
        StreamRows(len(stream), {split.task.name: split.labels for split in stream.splits})
        for stream in prepared.streams.values()
        if len(stream.splits) > 1
    ]


def _time_steps(
    recipe: Recipe,
    model: MultitaskModel,
    prepared: Prepared,
    tokenizer: Tokenizer,
    max_length: int,
    batching: Batching,
    plan: Plan,
) -> tuple[float, float]:
    """Return seconds per update and examples per second, measured on updates spread evenly over the run."""
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
    """Return the seconds for one evaluation of all dev files, estimated from a sample of each."""
    total = 0.0
    device = next(model.parameters()).device
    for split in (*prepared.dev.values(), *prepared.held.values()):
        rows = np.linspace(0, len(split) - 1, min(SAMPLE, len(split))).astype(np.int64)
        sample = split.take(rows)
        started = time.perf_counter()
        forward_split(model, prepared.store, tokenizer.template, sample, max_length=max_length, device=device)
        total += (time.perf_counter() - started) * len(split) / len(rows)
    return total


def _evaluations(plan: Plan) -> int:
    return sum(plan.evaluates(done) for done in range(1, plan.total_steps + 1))


def _peak_gib() -> float:
    """Return the peak memory of the process in GiB. The system counts in KiB, on macOS in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**30 if sys.platform == "darwin" else 2**20)
