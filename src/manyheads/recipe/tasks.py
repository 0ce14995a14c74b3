"""Build tasks from the task tables of a recipe. Without labels or a range, they are read from the training file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from manyheads.data.examples import require_column
from manyheads.data.reading import Source, TextFormat, open_source
from manyheads.errors import RecipeError
from manyheads.evaluation.metrics.resolve import metrics_of
from manyheads.model.heads import default_loss
from manyheads.recipe.check_options import head_of, pairing_of
from manyheads.recipe.label_space import LabelSpace, label_cells, labels_of, range_among
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.tasks.classification import Classification
from manyheads.tasks.kind import Kind
from manyheads.tasks.regression import Regression
from manyheads.tasks.task import Pairing, Task


def open_task_source(
    options: TaskOptions,
    spec: str | Sequence[str],
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
    label = [options.label] if labelled else []
    wanted = [*options.text, *label, *(each for each in (options.id, options.group) if each is not None)]
    return open_source(spec, folder, text or options.text_format, wanted=wanted, label=options.label)


def resolve_label_space(name: str, options: TaskOptions, train: Source) -> LabelSpace:
    """Return the labels or the range of a task, from the recipe or from the training file.

    Raises:
        DataError: The label column is missing, or its values are not usable as labels.
    """
    if options.labels is not None:
        return LabelSpace(labels=tuple(options.labels))
    if options.range is not None:
        low, high = options.range
        return LabelSpace(value_range=(low, high))
    require_column(train, options.label, name)
    if options.kind == "classification":
        return labels_of(train, options.label)
    return range_among(train.name, label_cells(train, options.label))


def build_task(name: str, options: TaskOptions, space: LabelSpace) -> Task:
    """Build a task from its table and its label space.

    Raises:
        RecipeError: The loss or a metric does not fit the labels.
    """
    kind = _kind(space)
    head, pair = head_of(options), pairing_of(options)
    loss = options.loss or default_loss(head, kind)
    if loss not in kind.losses:
        allowed = ", ".join(kind.losses)
        where = f"tasks.{name}.loss"
        raise RecipeError("the loss does not fit the labels of the task", where=where, found=loss, allowed=allowed)
    weights = options.class_weights
    task = Task(
        name=name,
        kind=kind,
        text=tuple(options.text),
        label=options.label,
        id=options.id,
        pair=_pairing(pair),
        head=head,
        dropout=options.head.dropout,
        loss=loss,
        metric=options.metric_name or kind.metrics[0],
        loss_weight=options.loss_weight,
        class_weights=None if weights is None else tuple(weights),
        group=options.group,
        metrics=options.choices,
    )
    _check_metrics(task)
    return task


def finished_task(recipe: Recipe, name: str) -> Task:
    """Build a task from the recipe of a finished run, which names its labels or range."""
    options = recipe.tasks[name]
    labels = None if options.labels is None else tuple(options.labels)
    bounds = None if options.range is None else (options.range[0], options.range[1])
    return build_task(name, options, LabelSpace(labels=labels, value_range=bounds))


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


def resolved_options(options: TaskOptions, task: Task) -> TaskOptions:
    """Return the table of the task with all defaults filled in, as it is stored in the run folder."""
    labels, value_range = task.kind.labels, task.kind.value_range
    return options.model_copy(
        update={
            "labels": None if labels is None else list(labels),
            "range": None if value_range is None else list(value_range),
            "pair": task.pair,
            "head": options.head.model_copy(update={"kind": task.head}),
            "loss": task.loss,
            "metric": options.metric or task.metric,
        }
    )


def _kind(space: LabelSpace) -> Kind:
    return Regression(*(space.value_range or (0.0, 1.0))) if space.labels is None else Classification(space.labels)


def _pairing(pair: str | None) -> Pairing | None:
    return "bi" if pair == "bi" else ("cross" if pair == "cross" else None)
