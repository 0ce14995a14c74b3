"""Build tasks from the task tables of a recipe. Without labels or a range, they are read from the training file.

The tasks of a recipe that read the same rows form a stream, whose rows are encoded once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import reduce
from pathlib import Path

import numpy as np

from manyheads.data.arrays import where
from manyheads.data.examples import Examples, require_column
from manyheads.data.reading import BadRow, Files, Row, Source, TextFormat, files_name, open_source
from manyheads.data.reading.combined import Grouped, LabelDecidesError, read_together, rows_together
from manyheads.errors import DataError, RecipeError
from manyheads.evaluation.metrics.resolve import metrics_of
from manyheads.model.heads import default_loss
from manyheads.model.losses import LOSSES, LossFunction, Weights, build_loss, fitting_losses
from manyheads.model.losses.options import LossOptions
from manyheads.recipe.check_options import head_of, head_options, label_columns, pairing_of
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.tasks.cells import is_missing, label_cell, quoted
from manyheads.tasks.kind import Kind, known
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.task import Pairing, Task


def open_task_source(
    options: TaskOptions,
    spec: Files,
    folder: Path,
    *,
    labelled: bool,
    text: TextFormat | None = None,
) -> Source:
    """Open files for a task. Its columns help to find the delimiter, and its label column to find merged rows.

    Args:
        options: the table of the task.
        spec: the files, as in the recipe. They are relative to `folder`.
        folder: the folder of the data.
        labelled: whether the files must have the label column.
        text: how the files are written. Default: as the table of the task says.

    Raises:
        DataError: A file cannot be read.
    """
    labels, own = label_columns(options), KINDS[options.kind].own_columns(options)
    label = labels if labelled else ()
    wanted = [
        *options.text,
        *own,
        *label,
        *(each for each in (options.id, options.group, options.weight, _group_by(options)) if each is not None),
    ]
    source = open_source(spec, folder, text or options.text_format, wanted=wanted, label=next(iter(labels), None))
    words = KINDS[options.kind].reads == "tokens"
    return gathered(source, _group_by(options), (*own, *labels), options.text, words=words)


def gathered(source: Source, key: str | None, listed: Sequence[str], texts: Sequence[str], *, words: bool) -> Source:
    """Return the source of rows of which each line has one candidate or one word. Without a key, a line is a row.

    `listed`, `texts`, `words`: see `Grouped`. A source that lacks the column of the key is unchanged.
    """
    if key is None or key not in source.columns:
        return source
    return Grouped(source, key, [column for column in listed if column != key], texts, words=words)


def _group_by(options: TaskOptions) -> str | None:
    """Return the column by which the lines of a row are found. Kinds without the key have a line per row."""
    key: str | None = getattr(options, "group_by", None)
    return key


def kind_of(options: TaskOptions) -> Kind:
    """Return the kind of a task of a finished run, whose recipe has the label space.

    Raises:
        RecipeError: The recipe has no label space.
    """
    kind = KINDS[options.kind].of(options)
    if kind is None:
        raise RecipeError("the recipe of the run lacks the label space of a task", found=options.kind)
    return kind


def build_task(name: str, options: TaskOptions, kind: Kind) -> Task:
    """Build a task from its table and its kind.

    Raises:
        RecipeError: The loss or a metric does not fit the labels.
    """
    head, pair = head_of(options), pairing_of(options)
    loss = loss_of(options, kind).kind
    form = LOSSES[loss].form(kind) if loss in LOSSES else None
    if form is None:
        allowed = ", ".join(fitting_losses(kind))
        where = f"tasks.{name}.loss"
        raise RecipeError("the loss does not fit the labels of the task", where=where, found=loss, allowed=allowed)
    task = Task(
        name=name,
        kind=kind,
        text=tuple(options.text),
        label=options.label if isinstance(options.label, str) else label_columns(options),
        id=options.id,
        pair=_pairing(pair),
        head=head,
        dropout=options.head.dropout,
        loss=loss,
        form=form,
        metric=options.metric_name or kind.metrics[0],
        group=options.group,
        metrics=options.choices,
        head_options=head_options(options).own,
    )
    _check_metrics(task)
    return task


def finished_task(recipe: Recipe, name: str) -> Task:
    """Build a task from the recipe of a finished run, which has its label space."""
    options = recipe.tasks[name]
    return build_task(name, options, kind_of(options))


def _check_metrics(task: Task) -> None:
    """Check that the metrics fit the labels, which may be those of the training file.

    Raises:
        RecipeError: A metric does not fit.
    """
    try:
        metrics_of(task)
    except RecipeError as error:
        key = "metrics" if any(not choice.options for choice in task.metrics) else "metric"
        raise RecipeError(
            error.what, where=f"tasks.{task.name}.{key}", found=error.found, allowed=error.allowed, hint=error.hint
        ) from None


def loss_of(options: TaskOptions, kind: Kind) -> LossOptions:
    """Return the loss of a task: that of the recipe, or the default for its head and kind."""
    if options.loss is not None:
        loss: LossOptions = options.loss
        return loss
    name = default_loss(head_of(options), kind)
    return LOSSES[name].options(kind=name)


def is_balanced(options: TaskOptions) -> bool:
    """Return whether the weights of the classes are computed from the training rows."""
    return getattr(options, "class_weights", None) == "balanced"


def task_loss(options: TaskOptions, kind: Kind, computed: Weights | None = None) -> LossFunction:
    """Return the function of the loss of a task. `computed`: the balanced weights of its classes."""
    weights = computed if is_balanced(options) else getattr(options, "class_weights", None)
    if weights is None and is_balanced(options):
        raise AssertionError("balanced weights are computed before the loss is built")
    return build_loss(kind, loss_of(options, kind), weights)


def resolved_options(options: TaskOptions, task: Task) -> TaskOptions:
    """Return the table of the task with all defaults filled in, as it is stored in the run folder."""
    return options.model_copy(
        update={
            **task.kind.space(),
            "pair": task.pair,
            "head": head_options(options),
            "loss": loss_of(options, task.kind),
            "metric": options.metric or task.metric,
        }
    )


def _pairing(pair: str | None) -> Pairing | None:
    return "bi" if pair == "bi" else ("cross" if pair == "cross" else None)


@dataclass(frozen=True)
class LabelSpace:
    """The kind of a task with its label space, and notes for the user about how it was found."""

    kind: Kind
    notes: tuple[str, ...] = ()


def inferred_columns(options: TaskOptions) -> tuple[str, ...]:
    """Return the columns from which a label space is read: those of the label, and those of the kind's own keys."""
    return (*label_columns(options), *KINDS[options.kind].own_columns(options))


def label_cells(source: Source, columns: Sequence[str]) -> Iterator[object]:
    """Yield the cells of the label column that are not missing, or mappings of the cells of several columns."""
    cells = (label_cell(row.values, columns) for row in source.rows() if isinstance(row, Row))
    return (cell for cell in cells if not is_missing(cell))


def label_space(options: TaskOptions, source: Source, *, cells: Sequence[object] | None = None) -> LabelSpace:
    """Return the label space of a task, from its table or from its training file.

    `cells`: the cells of the file, if they were read before.

    Raises:
        DataError: the cells have no label space, for example because they have several labels each.
    """
    kind = KINDS[options.kind]
    named = kind.of(options)
    if named is not None:
        return LabelSpace(named)
    try:
        read = label_cells(source, inferred_columns(options)) if cells is None else cells
        found, note = kind.infer(options, read, name=source.name, typed=source.typed)
    except DataError:
        _refuse_cells(kind, source, label_columns(options))
        raise
    return LabelSpace(found, (note,))


def label_spaces(tasks: Mapping[str, tuple[TaskOptions, Source]]) -> dict[str, LabelSpace]:
    """Return the label spaces of tasks that read one file, which is read once for those that need it.

    Raises:
        DataError: A label column is missing, or its values are not usable as labels.
    """
    for name, (options, source) in tasks.items():
        for column in inferred_columns(options):
            require_column(source, column, name)
    wanted = {name: each for name, each in tasks.items() if KINDS[each[0].kind].of(each[0]) is None}
    sources = [source for _, source in wanted.values()]
    cells: dict[str, list[object]] = {name: [] for name in wanted}
    if len(wanted) > 1 and read_together(sources):
        try:
            for rows in rows_together(sources):
                for (name, (options, _)), row in zip(wanted.items(), rows, strict=True):
                    cell = label_cell(row.values, inferred_columns(options)) if isinstance(row, Row) else None
                    if not is_missing(cell):
                        cells[name].append(cell)
        except LabelDecidesError:
            cells = {}
        return {name: label_space(*each, cells=cells.get(name)) for name, each in tasks.items()}
    return {name: label_space(*each) for name, each in tasks.items()}


def _refuse_cells(kind: type[Kind], source: Source, columns: Sequence[str]) -> None:
    for row in source.rows():
        cell = label_cell(row.values, columns) if isinstance(row, Row) else None
        error = kind.refused(cell)
        if error is not None and isinstance(row, Row):
            where = f"{row.file or source.name}:{row.line}"
            raise DataError(str(error), where=where, found=quoted(cell), hint=error.hint)


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
        _group_by(options),
        options.text_format,
    )
