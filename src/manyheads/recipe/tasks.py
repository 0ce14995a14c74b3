"""From a recipe's task tables to tasks, the label space taken from the training file where the recipe gives none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from manyheads.data.examples import require_column
from manyheads.data.reading import Row, Source
from manyheads.errors import DataError, RecipeError
from manyheads.model.heads import default_loss
from manyheads.recipe.check_options import head_of, pairing_of
from manyheads.recipe.schema import TaskOptions
from manyheads.tasks.cells import as_number, is_missing
from manyheads.tasks.classification import Classification, Label, canonical
from manyheads.tasks.kind import Kind
from manyheads.tasks.regression import Regression
from manyheads.tasks.task import Pairing, Task

MOST_LABELS = 1000
"""Distinct labels above which a label column is taken for a mistake: an id or a text."""


@dataclass(frozen=True)
class LabelSpace:
    """A task's labels or range, and what to tell the user of how they were found."""

    labels: tuple[Label, ...] | None = None
    value_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = field(default=())


def resolve_label_space(name: str, options: TaskOptions, train: Source) -> LabelSpace:
    """The labels or the range of a task: the recipe's, or what stands in the training file.

    Raises:
        DataError: the label column is missing, or holds nothing that could be a label space.
    """
    if options.labels is not None:
        return LabelSpace(labels=tuple(options.labels))
    if options.range is not None:
        low, high = options.range
        return LabelSpace(value_range=(low, high))
    require_column(train, options.label, name)
    cells = [row.values.get(options.label) for row in train.rows() if isinstance(row, Row)]
    known = [cell for cell in cells if not is_missing(cell)]
    return _labels(train, known) if options.kind == "classification" else _range(train, known)


def build_task(name: str, options: TaskOptions, space: LabelSpace) -> Task:
    """The task that a table means, given its label space.

    Raises:
        RecipeError: the loss, metric or class weights do not fit the labels.
    """
    kind: Kind
    if space.labels is not None:
        kind = Classification(space.labels)
    else:
        kind = Regression(*(space.value_range or (0.0, 1.0)))
    head, pair = head_of(options), pairing_of(options)
    loss = options.loss or default_loss(head, kind)
    if loss not in kind.losses:
        allowed = ", ".join(kind.losses)
        where = f"tasks.{name}.loss"
        raise RecipeError("this loss does not fit the task's labels", where=where, found=loss, allowed=allowed)
    weights = options.class_weights
    return Task(
        name=name,
        kind=kind,
        text=tuple(options.text),
        label=options.label,
        id=options.id,
        pair=_pairing(pair),
        head=head,
        dropout=options.head.dropout,
        loss=loss,
        metric=options.metric or kind.metrics[0],
        loss_weight=options.loss_weight,
        class_weights=None if weights is None else tuple(weights),
    )


def resolved_options(options: TaskOptions, task: Task) -> TaskOptions:
    """The task's table with every default written out, as the run folder keeps it."""
    labels, value_range = task.kind.labels, task.kind.value_range
    return options.model_copy(
        update={
            "labels": None if labels is None else list(labels),
            "range": None if value_range is None else list(value_range),
            "pair": task.pair,
            "head": options.head.model_copy(update={"kind": task.head}),
            "loss": task.loss,
            "metric": task.metric,
        }
    )


def _pairing(pair: str | None) -> Pairing | None:
    return "bi" if pair == "bi" else ("cross" if pair == "cross" else None)


def _labels(train: Source, cells: Sequence[object]) -> LabelSpace:
    # Spellings of one label ("True" and "true") are one: the first stands for all.
    distinct = _sorted(set({canonical(cell): _plain(cell) for cell in reversed(cells)}.values()))
    if len(distinct) < 2:
        raise DataError(
            "the label column has fewer than two labels", where=train.name, found=distinct,
            hint="name them with labels = [...] if the file is right",
        )
    if len(distinct) > MOST_LABELS:
        raise DataError(
            "the label column has too many different values for classes", where=train.name, found=len(distinct),
            allowed=f"at most {MOST_LABELS}", hint='is it another column, or kind = "regression"?',
        )
    shown = ", ".join(map(str, distinct[:10])) + (", ..." if len(distinct) > 10 else "")
    return LabelSpace(labels=tuple(distinct), notes=(f"{len(distinct)} labels found in {train.name}: {shown}",))


def _range(train: Source, cells: Sequence[object]) -> LabelSpace:
    numbers = [number for number in map(as_number, cells) if number is not None]
    if not numbers or min(numbers) == max(numbers):
        found = sorted(set(numbers)) or "no number"
        raise DataError("the label column gives no range", where=train.name, found=found, hint="set range = [low, high]")
    low, high = float(min(numbers)), float(max(numbers))
    return LabelSpace(value_range=(low, high), notes=(f"range {low:g} to {high:g}, as in {train.name}",))


def _plain(cell: object) -> Label:
    """A cell as the label that it means: a number where it is one (whole where it can be), else the stripped text."""
    if isinstance(cell, bool):
        return cell
    number = as_number(cell)
    if number is None:
        return str(cell).strip()
    return int(number) if number.is_integer() else number


def _sorted(labels: set[Label]) -> list[Label]:
    """Numbers by value, before texts by letters."""
    return sorted(labels, key=lambda label: (isinstance(label, str), label if not isinstance(label, str) else 0, str(label)))
