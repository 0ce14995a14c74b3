"""The labels or the range of a task, found in the cells of its label column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manyheads.data.reading import Row, Source
from manyheads.errors import DataError
from manyheads.tasks.cells import as_number, is_missing
from manyheads.tasks.classification import Label, canonical

MOST_LABELS = 1000
"""A label column with more distinct labels is an error: it is probably a column of ids or texts."""


@dataclass(frozen=True)
class LabelSpace:
    """The labels or the range of a task, and notes for the user about how they were found."""

    labels: tuple[Label, ...] | None = None
    value_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def label_cells(source: Source, column: str) -> Iterator[object]:
    """Yield the cells of a column that are not missing."""
    cells = (row.values.get(column) for row in source.rows() if isinstance(row, Row))
    return (cell for cell in cells if not is_missing(cell))


def labels_among(name: str, cells: Iterable[object]) -> LabelSpace:
    """Return the distinct labels: first numbers in ascending order, then texts in alphabetical order.

    `name` is the name of the file in messages.

    Raises:
        DataError: there are fewer than two labels, or more than `MOST_LABELS`.
    """
    # Several spellings of one label ("True" and "true") count as one label. The first spelling is used.
    spellings: dict[float | str, Label] = {}
    for cell in cells:
        spellings.setdefault(canonical(cell), _plain(cell))
        if len(spellings) > MOST_LABELS:
            break  # The column may have millions of distinct texts.
    distinct = sorted(spellings.values(), key=_order)
    if len(distinct) < 2:
        hint = "list the labels in the recipe, labels = [...], if the file is correct"
        raise DataError("the label column has fewer than two labels", where=name, found=distinct, hint=hint)
    if len(distinct) > MOST_LABELS:
        raise DataError(
            "the label column has too many different values for a classification",
            where=name,
            found=f"more than {MOST_LABELS}",
            allowed=f"at most {MOST_LABELS}",
            hint='choose another label column, or set kind = "regression"',
        )
    shown = ", ".join(map(str, distinct[:10])) + (", ..." if len(distinct) > 10 else "")
    return LabelSpace(labels=tuple(distinct), notes=(f"{len(distinct)} labels found in {name}: {shown}",))


def range_among(name: str, cells: Iterable[object]) -> LabelSpace:
    """Return the range from the lowest to the highest number. `name` is the name of the file in messages.

    Raises:
        DataError: the cells do not have two different numbers.
    """
    low, high = math.inf, -math.inf
    for number in _numbers(cells):
        low, high = min(low, number), max(high, number)
    if low >= high:
        found = [low] if low == high else "no number"
        what = "the label column does not have two different numbers"
        raise DataError(what, where=name, found=found, hint="set range = [low, high]")
    return LabelSpace(value_range=(low, high), notes=(f"range {low:g} to {high:g}, found in {name}",))


def _numbers(cells: Iterable[object]) -> Iterator[float]:
    return (number for number in map(as_number, cells) if number is not None)


def _plain(cell: object) -> Label:
    """Convert a cell to a label: a boolean, an integer or a float where it is one, otherwise the stripped text."""
    if isinstance(cell, bool):
        return cell
    number = as_number(cell)
    if number is None:
        return str(cell).strip()
    return int(number) if number.is_integer() else number


def _order(label: Label) -> tuple[bool, float, str]:
    return (True, 0.0, label) if isinstance(label, str) else (False, float(label), "")
