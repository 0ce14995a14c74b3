"""The labels or the range of a task, found in the cells of its label column."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manyheads.data.reading import Row, Source
from manyheads.errors import DataError
from manyheads.tasks.alike import alike, alike_warning
from manyheads.tasks.cells import ClassName, as_number, is_missing, quoted, spelled_boolean, spelled_number
from manyheads.tasks.classification import SEVERAL_HINT, Label
from manyheads.tasks.regression import DECIMAL_COMMA, DECIMAL_HINT

MOST_LABELS = 1000
"""A label column with more distinct labels is an error: it is probably a column of ids or texts."""

EXACT = 2**53
"""Floating-point numbers below are exact as integers."""


LARGEST = 2**63


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


def labels_of(source: Source, column: str) -> LabelSpace:
    """Return the distinct labels of a column.

    Raises:
        DataError: there are fewer than two labels or more than `MOST_LABELS`, or the cells have several labels each.
    """
    try:
        return labels_among(source.name, label_cells(source, column), typed=source.typed)
    except DataError:
        _refuse_several(source, column)
        raise


def labels_among(name: str, cells: Iterable[object], *, typed: bool = False) -> LabelSpace:
    """Return the distinct labels: first numbers in ascending order, then texts in alphabetical order.

    Named classes keep the order of the data set. A column in which every text is "true" or "false" has booleans.

    Args:
        name: the name of the file in messages.
        cells: cells of the label column. A cell with several labels is ignored; reading refuses its row.
        typed: whether text is text. Otherwise it may spell a number.

    Raises:
        DataError: there are fewer than two labels, or more than `MOST_LABELS`.
    """
    found: dict[tuple[bool, object], Label] = {}
    for cell in cells:
        if isinstance(cell, list | tuple | dict):
            continue
        label = _label(cell, typed=typed)
        found.setdefault((isinstance(label, str), label), label)
        if len(found) > MOST_LABELS:
            break  # The column may have millions of distinct texts.
    distinct = sorted(_merged(list(found.values()), typed=typed), key=_order)
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
    labels = tuple(str(label) if isinstance(label, str) else label for label in distinct)
    shown = ", ".join(map(str, labels[:10])) + (", ..." if len(labels) > 10 else "")
    return LabelSpace(labels=labels, notes=(f"{len(labels)} labels found in {name}: {shown}",))


def range_among(name: str, cells: Iterable[object]) -> LabelSpace:
    """Return the range from the lowest to the highest number. `name` is the name of the file in messages.

    Raises:
        DataError: the cells do not have two different numbers.
    """
    low, high = math.inf, -math.inf
    hint = "set range = [low, high]"
    for cell in cells:
        number = as_number(cell)
        if number is not None:
            low, high = min(low, number), max(high, number)
        elif isinstance(cell, str) and DECIMAL_COMMA.fullmatch(cell):
            hint = DECIMAL_HINT
    if low >= high:
        found = [low] if low == high else "no number"
        what = "the label column does not have two different numbers"
        raise DataError(what, where=name, found=found, hint=hint)
    return LabelSpace(value_range=(low, high), notes=(f"range {low:g} to {high:g}, found in {name}",))


def alike_warnings(labels: Iterable[Label] | None) -> list[str]:
    """Return a warning for each group of labels that look alike."""
    return [alike_warning(group) for group in alike(labels or ())]


def _refuse_several(source: Source, column: str) -> None:
    for row in source.rows():
        cell = row.values.get(column) if isinstance(row, Row) else None
        if isinstance(cell, list | tuple | dict) and isinstance(row, Row):
            where = f"{row.file or source.name}:{row.line}"
            raise DataError("several labels in a cell", where=where, found=quoted(cell), hint=SEVERAL_HINT)


def _label(cell: object, *, typed: bool) -> Label:
    """Return the label in a cell. Equal numbers give equal labels; an integer is written without a point.

    An integer of more than 64 bits is text: no other format could keep it as a number.
    """
    if isinstance(cell, bool | ClassName):
        return cell
    number: int | float | None
    if isinstance(cell, int | float):
        number = cell if isinstance(cell, int) or math.isfinite(cell) else None
    else:
        number = None if typed and isinstance(cell, str) else spelled_number(str(cell).strip())
    if isinstance(number, float) and number.is_integer() and abs(number) < EXACT:
        number = int(number)
    if number is None or (isinstance(number, int) and not -LARGEST <= number < LARGEST):
        return str(cell).strip()
    return number


def _merged(labels: list[Label], *, typed: bool) -> list[Label]:
    """Return the labels with booleans where all of them spell one, and without texts that spell another label."""
    if not typed and all(isinstance(label, str) and spelled_boolean(label) is not None for label in labels):
        return sorted({spelled_boolean(str(label)) is True for label in labels})
    others = {label for label in labels if not isinstance(label, str)}
    names = {str(label) for label in others}
    return [
        label
        for label in labels
        if not isinstance(label, str) or (label not in names and spelled_number(label) not in others)
    ]


def _order(label: Label) -> tuple[int, float, str]:
    if isinstance(label, ClassName):
        return (1, label.number, "")
    return (2, 0.0, label) if isinstance(label, str) else (0, label, "")
