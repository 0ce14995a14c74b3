"""Streams: the tasks of a recipe that read the same rows, which are encoded once for all of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce

import numpy as np

from manyheads.data.arrays import where
from manyheads.data.examples import Examples
from manyheads.data.reading import BadRow, Files, files_name
from manyheads.recipe.check_options import pairing_of
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.tasks.kind import known
from manyheads.tasks.kinds import KINDS

NO_LABEL = "no task has a label in this row"
"""The reason that is reported for a row of which every task lacks the label."""


def groups_of(tasks: Mapping[str, TaskOptions]) -> list[tuple[str, ...]]:
    """Return the names of the tasks that read the same rows of a training file in the same way, in their order.

    They have the same training file, text columns, pairing, `train_rows`, `id`, `group`, and keys of the file's format.
    Tasks that read candidates are alone.
    """
    groups: dict[object, list[str]] = {}
    for name, options in tasks.items():
        alone = name if KINDS[options.kind].reads == "candidates" else None
        groups.setdefault((_reading(options), alone), []).append(name)
    return [tuple(names) for names in groups.values()]


def streams_of(recipe: Recipe) -> dict[str, tuple[str, ...]]:
    """Return the tasks of each stream of a run, by the name of the stream.

    A stream of one task has its name. With `streams = "separate"` every task is a stream.
    """
    if recipe.batching.streams == "separate":
        return {name: (name,) for name in recipe.tasks}
    return {"+".join(names): names for names in groups_of(recipe.tasks)}


def partners(tasks: Mapping[str, TaskOptions], name: str, spec: Files) -> list[str]:
    """Return the tasks that read the labels of the rows of a training or dev file together with a task."""
    (group,) = (each for each in groups_of(tasks) if name in each)
    file = files_name(spec)
    return [each for each in group if each == name or file in _files(tasks[each])]


def same_files(tasks: Mapping[str, TaskOptions], split: str) -> list[tuple[str, ...]]:
    """Return the names of the tasks of each stream whose rows of a split are from the same file.

    `split`: "dev" or "test". Only groups of two or more tasks are returned.
    """
    found = []
    for group in groups_of(tasks):
        files: dict[object, list[str]] = {}
        for name in group:
            spec = getattr(tasks[name], split)
            if spec is not None:
                files.setdefault(spec if isinstance(spec, float) else files_name(spec), []).append(name)
        found += [tuple(names) for names in files.values() if len(names) > 1]
    return found


def joined(several: Sequence[Examples]) -> list[Examples]:
    """Return the examples of tasks that read the same rows so that they share everything but the targets.

    Tasks must have been read with `holes`, which gives all of them the same rows.
    """
    first = several[0]
    return [
        replace(each, ids=first.ids, texts=first.texts, lines=first.lines, places=first.places, groups=first.groups)
        for each in several
    ]


def common_rows(several: Sequence[Examples]) -> list[Examples]:
    """Return the examples of tasks that read the same file, without the rows that are bad rows of one of the tasks.

    A row without a usable label is in the examples of its task. A row of which a task cannot read the file is not.
    """
    places = [np.asarray(each.lines if each.places is None else each.places) for each in several]
    if all(np.array_equal(each, places[0]) for each in places):
        return list(several)
    shared = reduce(np.intersect1d, places)
    return [each.take(where(np.isin(own, shared))) for each, own in zip(several, places, strict=True)]


def with_a_label(several: Sequence[Examples]) -> list[Examples]:
    """Return the examples of tasks with the same rows, without the rows of which no task has a label."""
    kept = np.any([known(each.targets) for each in several], axis=0)
    if kept.all():
        return list(several)
    rows = where(kept)
    return joined([each.take(rows) for each in several])


def unlabelled_rows(several: Sequence[Examples], rejected: Sequence[Sequence[BadRow]]) -> list[BadRow]:
    """Return the rows of which no task has a label, except those that are bad rows already.

    `several`: the examples of tasks with the same rows. `rejected`: the bad rows of each of them.
    """
    first = several[0]
    lacking = np.flatnonzero(~np.any([known(each.targets) for each in several], axis=0))
    if not len(lacking):
        return []
    named = {file for file in first.files if file}
    reported = {(row.source if row.source in named else "", row.line) for rows in rejected for row in rows}
    rows = [(first.file_of(row), int(first.lines[row])) for row in lacking.tolist()]
    return [BadRow(file or first.source, line, NO_LABEL) for file, line in rows if (file, line) not in reported]


def _files(options: TaskOptions) -> Iterator[str]:
    """Yield the names of the files of which a task must have the labels."""
    yield files_name(options.train)
    if not isinstance(options.dev, float):
        yield files_name(options.dev)


def _reading(options: TaskOptions) -> object:
    """Return the values that decide which rows and texts a task reads, and how they are encoded."""
    return (
        files_name(options.train),
        tuple(options.text),
        pairing_of(options),
        options.train_rows,
        options.id,
        options.group,
        options.text_format,
    )
