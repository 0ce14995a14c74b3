"""The labels or the range that the cells of a label column span."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from manyheads.data.reading import Row, Source
from manyheads.errors import DataError
from manyheads.tasks.cells import as_number, is_missing
from manyheads.tasks.classification import Label, canonical

MOST_LABELS = 1000
"""Distinct labels above which a label column is taken for a mistake: an id or a text."""


@dataclass(frozen=True)
class LabelSpace:
    """A task's labels or range, and what to tell the user of how they were found."""

    labels: tuple[Label, ...] | None = None
    value_range: tuple[float, float] | None = None
    notes: tuple[str, ...] = ()


def label_cells(source: Source, column: str) -> Iterator[object]:
    """The cells of a column that hold something, one at a time."""
    cells = (row.values.get(column) for row in source.rows() if isinstance(row, Row))
    return (cell for cell in cells if not is_missing(cell))


def labels_among(name: str, cells: Iterable[object]) -> LabelSpace:
    """The distinct labels, numbers by value before texts by letters; `name` is what messages call the file.

    Raises:
        DataError: there are fewer than two, or far too many.
    """
    # Spellings of one label ("True" and "true") are one: the first stands for all.
    spellings: dict[float | str, Label] = {}
    for cell in cells:
        spellings.setdefault(canonical(cell), _plain(cell))
        if len(spellings) > MOST_LABELS:
            break  # texts, perhaps millions of them
    distinct = sorted(spellings.values(), key=_order)
    if len(distinct) < 2:
        hint = "name them with labels = [...] if the file is right"
        raise DataError("the label column has fewer than two labels", where=name, found=distinct, hint=hint)
    if len(distinct) > MOST_LABELS:
        raise DataError(
            "the label column has too many different values for classes",
            where=name,
            found=f"more than {MOST_LABELS}",
            allowed=f"at most {MOST_LABELS}",
            hint='is it another column, or kind = "regression"?',
        )
    shown = ", ".join(map(str, distinct[:10])) + (", ..." if len(distinct) > 10 else "")
    return LabelSpace(labels=tuple(distinct), notes=(f"{len(distinct)} labels found in {name}: {shown}",))


def range_among(name: str, cells: Iterable[object]) -> LabelSpace:
    """From the lowest number to the highest; `name` is what messages call the file.

    Raises:
        DataError: there are no two different numbers.
    """
    low, high = math.inf, -math.inf
    for number in _numbers(cells):
        low, high = min(low, number), max(high, number)
    if low >= high:
        found = [low] if low == high else "no number"
        raise DataError("the label column gives no range", where=name, found=found, hint="set range = [low, high]")
    return LabelSpace(value_range=(low, high), notes=(f"range {low:g} to {high:g}, as in {name}",))


def _numbers(cells: Iterable[object]) -> Iterator[float]:
    return (number for number in map(as_number, cells) if number is not None)


def _plain(cell: object) -> Label:
    """A cell as the label that it means: a number where it is one (whole where it can be), else the stripped text."""
    if isinstance(cell, bool):
        return cell
    number = as_number(cell)
    if number is None:
        return str(cell).strip()
    return int(number) if number.is_integer() else number


def _order(label: Label) -> tuple[bool, float, str]:
    return (True, 0.0, label) if isinstance(label, str) else (False, float(label), "")
