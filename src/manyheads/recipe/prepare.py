"""Read and tokenise the data of a recipe: everything before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.data.cache import cache_folder
from manyheads.data.dataset import Split
from manyheads.data.examples import Examples, examples_warnings, read_examples
from manyheads.data.reading import BadRow, files_name
from manyheads.data.split import draw, hold_out
from manyheads.data.texts import TextStore
from manyheads.data.tokenised import tokenise_examples
from manyheads.data.tokenizer import Tokenizer
from manyheads.recipe import held_out
from manyheads.recipe.label_space import alike_warnings
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.recipe.tasks import build_task, open_task_source, resolve_label_space
from manyheads.tasks.task import Task

Notify = Callable[..., None]


@dataclass(frozen=True)
class TaskData:
    """One task with its examples.

    `rejected`: rejected rows, by file. `fingerprints`: SHA-256 of every file, and of the held-out rows.
    """

    task: Task
    train: Examples
    dev: Examples
    test: Examples | None
    rejected: Mapping[str, Sequence[BadRow]]
    fingerprints: Mapping[str, str]


@dataclass(frozen=True)
class Prepared:
    """The tokenised splits of every task, over one store of distinct texts."""

    data: tuple[TaskData, ...]
    store: TextStore
    train: Mapping[str, Split]
    dev: Mapping[str, Split]
    test: Mapping[str, Split]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the recipe."""
        return tuple(each.task for each in self.data)

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of every file, by its name in the recipe, and of the ids of the held-out rows."""
        return {name: value for each in self.data for name, value in each.fingerprints.items()}


def read_tasks(recipe: Recipe, notify: Notify) -> tuple[TaskData, ...]:
    """Read every file of every task.

    Raises:
        DataError: A file is missing or empty, or has invalid rows and the task does not set `on_bad_rows = "skip"`.
    """
    data = tuple(_read_task(name, options, recipe, notify) for name, options in recipe.tasks.items())
    for each in data:
        count = sum(map(len, each.rejected.values()))
        if count:
            rows = "1 invalid row was skipped" if count == 1 else f"{count} invalid rows were skipped"
            notify("warning", text=f"{each.task.name}: {rows}", rejected=count)
        for examples in (each.train, each.dev, each.test):
            for text in examples_warnings(examples, each.task) if examples is not None else ():
                notify("warning", text=f"{each.task.name}: {text}")
    return data


def rejected_rows(data: Sequence[TaskData]) -> Iterator[dict[str, Any]]:
    """Yield every rejected row as the fields of its event. There may be very many, so no list is built."""
    for each in data:
        for bad in each.rejected.values():
            for row in bad:
                yield {"task": each.task.name, "file": row.source, "line": row.line, "reason": row.reason}


def tokenise_tasks(data: Sequence[TaskData], tokenizer: Tokenizer) -> Prepared:
    """Tokenise every distinct text of all tasks once, or read the tokens from the cache."""
    tasks = {each.task.name: each.task for each in data}
    parts = [
        (name, examples)
        for each in data
        for name, examples in (("train", each.train), ("dev", each.dev), ("test", each.test))
        if examples is not None
    ]
    store, splits = tokenise_examples([examples for _, examples in parts], tasks, tokenizer, cache_folder())
    tokenised: dict[str, dict[str, Split]] = {"train": {}, "dev": {}, "test": {}}
    for (name, examples), split in zip(parts, splits, strict=True):
        tokenised[name][examples.task] = split
    return Prepared(tuple(data), store, **tokenised)


def _read_task(name: str, options: TaskOptions, recipe: Recipe, notify: Notify) -> TaskData:
    folder = Path(recipe.data_dir)
    train_source = open_task_source(options, options.train, folder, labelled=True)
    space = resolve_label_space(name, options, train_source)
    for text in space.notes:
        notify("note", text=f"{name}: {text}")
    task = build_task(name, options, space)
    for text in alike_warnings(task.kind.labels):
        notify("warning", text=f"{name}: {text}")
    fingerprints: dict[str, str] = {}
    rejected: dict[str, Sequence[BadRow]] = {}

    def read(spec: str | Sequence[str], *, labelled: bool) -> Examples:
        source = open_task_source(options, spec, folder, labelled=labelled)
        examples, bad = read_examples(
            task, source, on_bad_rows=options.on_bad_rows, labelled=labelled, cache=cache_folder()
        )
        fingerprints[files_name(spec)] = examples.fingerprint
        if bad:
            rejected[source.name] = bad
        for text in examples.warnings:
            notify("warning", text=f"{name}: {text}")
        return examples

    train = read(options.train, labelled=True)
    if not isinstance(options.dev, float):
        dev = read(options.dev, labelled=True)
    else:
        train, dev = hold_out(train, options.dev)
    train, dev = draw(train, options.train_rows), draw(dev, options.dev_rows)
    if isinstance(options.dev, float):
        fingerprints[held_out.mark(name, files_name(options.train))] = held_out.fingerprint(dev)
    test = None if options.test is None else read(options.test, labelled=False)
    return TaskData(task, train, dev, test, rejected, fingerprints)
