"""Measuring a finished run again: its shipped model on its dev or test files, or on another file."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from manyheads.data.cache import cache_folder
from manyheads.data.examples import Examples, read_examples
from manyheads.data.reading import open_source
from manyheads.data.split import draw, hold_out
from manyheads.data.tokenised import tokenise_examples
from manyheads.errors import DataError
from manyheads.evaluation.evaluate import evaluate
from manyheads.inference.bundle import Bundle, load_bundle
from manyheads.model.int8 import to_int8
from manyheads.recipe.held_out import check_held_out
from manyheads.recipe.load import load_recipe
from manyheads.run.folder import RunFolder
from manyheads.tasks.task import Task


@dataclass(frozen=True)
class Measurement:
    """Scores as in results.json (`tasks`, `average`, `course_score`), and how many examples each task has.

    `seconds`: of the forward passes and the metrics. `int8`: the same of the quantised model, where it was asked for.
    """

    scores: Mapping[str, Any]
    examples: Mapping[str, int]
    seconds: float
    int8: Measurement | None = None


def measure_run(
    folder: Path, *, split: str = "dev", task: str | None = None, file: Path | None = None, int8: bool = False
) -> Measurement:
    """Measure a run's shipped model on a split of its recipe, or one task of it on a labelled file.

    With `int8` its quantised form is measured too.

    Raises:
        RunError: it is no finished run. DataError: a file is missing, unlabelled, or has bad rows.
    """
    run = RunFolder(folder)
    run.require("model")
    recipe = load_recipe(run.recipe)
    torch.set_num_threads(recipe.threads or torch.get_num_threads())
    bundle = load_bundle(run.model)
    tasks = {name: each for name, each in bundle.model.tasks.items() if task in (None, name)}
    if not tasks:
        allowed = ", ".join(bundle.model.tasks)
        raise DataError("this model has no such task", found=task, allowed=allowed)
    read = {name: labelled_examples(run, each, split, file) for name, each in tasks.items()}
    examples = {name: found for name, found in read.items() if found is not None}
    if not examples:
        raise DataError(f"the recipe names no {split} file", where=str(run.recipe))
    course_score = recipe.score == "course"
    found = _measure(bundle, tasks, examples, course_score)
    if not int8:
        return found
    quantised = replace(bundle, model=to_int8(bundle.model))
    return replace(found, int8=_measure(quantised, tasks, examples, course_score))


def _measure(
    bundle: Bundle, tasks: Mapping[str, Task], examples: Mapping[str, Examples], course_score: bool
) -> Measurement:
    store, splits = tokenise_examples(list(examples.values()), tasks, bundle.tokenizer, None)
    named = dict(zip(examples, splits, strict=True))
    started = time.perf_counter()
    scores = evaluate(
        bundle.model,
        store,
        bundle.tokenizer.template,
        named,
        max_length=bundle.max_length,
        device=torch.device("cpu"),
        course_score=course_score,
    )
    seconds = time.perf_counter() - started
    return Measurement(scores.summary, {name: len(split) for name, split in named.items()}, seconds)


def labelled_examples(run: RunFolder, task: Task, split: str, file: Path | None = None) -> Examples | None:
    """The labelled examples of a task's split of a run, or of another file; None where its recipe names none.

    Raises:
        DataError: the file is missing, unlabelled, or has bad rows; or the rows held out are not those of the run.
    """
    recipe = load_recipe(run.recipe)
    options = recipe.tasks[task.name]
    folder = Path(recipe.data_dir)
    spec = str(file.absolute()) if file is not None else getattr(options, split)
    if spec is None:
        return None
    if isinstance(spec, float):
        whole, _ = read_examples(
            task,
            open_source(options.train, folder),
            on_bad_rows=options.on_bad_rows,
            labelled=True,
            cache=cache_folder(),
        )
        dev = draw(hold_out(whole, spec)[1], options.dev_rows)
        check_held_out(run, task.name, options.train, dev)
        return dev
    source = open_source(spec, folder)
    if task.label not in source.columns:
        hint = "to answer it without measuring: manyheads predict"
        raise DataError("the file has no labels to measure against", where=source.name, hint=hint)
    found, _ = read_examples(task, source, on_bad_rows=options.on_bad_rows, labelled=True, cache=cache_folder())
    return draw(found, options.dev_rows) if file is None and split == "dev" else found
