"""Soft labels: a cell with the probability of each label."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from manyheads.tasks.cells import MISSING, Columns, as_number, is_missing, quoted
from manyheads.tasks.kind import Floats, LabelError
from manyheads.tasks.labels import Labels

TOLERANCE = 1e-3
"""How far the sum of the probabilities of a row may be from 1."""


def soft_label(raw: object, labels: Labels) -> Floats:
    """Return the probability of each label in a cell, or in the cells of several columns: float64[labels], sum 1.

    A cell is an object of labels and probabilities, in which absent labels have the probability 0; a list of
    probabilities in the order of the labels; one of the two as JSON text; or a label, whose probability is then 1.

    Raises:
        LabelError: The cell is empty or something else, or the probabilities are negative or do not add up to 1.
    """
    cell = raw if isinstance(raw, Mapping) else _value(raw)
    if is_missing(cell):
        raise LabelError(MISSING)
    numbers = np.zeros(len(labels))
    if isinstance(cell, Mapping) and not isinstance(cell, Columns):
        for name, value in cell.items():
            code = labels.find(name)
            if code is None:
                raise LabelError(labels.unknown(name))
            # A struct of a Parquet file has null for a key that a row lacks.
            numbers[code] = 0.0 if value is None else _probability(value)
    elif isinstance(cell, Columns | list | tuple):
        values = [*cell.values()] if isinstance(cell, Columns) else [*cell]
        if len(values) != len(labels):
            raise LabelError(f"label {quoted(cell)} has {len(values)} probabilities, for {len(labels)} labels")
        numbers[:] = [_probability(value) for value in values]
    else:
        code = labels.find(cell)
        if code is None:
            raise LabelError(labels.unknown(cell))
        numbers[code] = 1.0
    total = float(numbers.sum())
    if abs(total - 1) > TOLERANCE:
        raise LabelError(f"label {quoted(cell)}: the probabilities add up to {total:.6g} and not to 1")
    shares: Floats = numbers / total
    return shares


def labels_within(cells: Iterable[object]) -> Iterator[object]:
    """Yield the labels that cells name: the keys of objects, and cells that are labels.

    Raises:
        LabelError: A cell is a list, which does not name the labels.
    """
    for raw in cells:
        cell = _value(raw)
        if isinstance(cell, list | tuple):
            raise LabelError(f"label {quoted(cell)} is a list of probabilities, which does not name the labels")
        if isinstance(cell, Mapping):
            yield from cell
        else:
            yield cell


def _value(raw: object) -> object:
    """Return the value of a cell, which may be written as JSON."""
    if isinstance(raw, str) and raw.lstrip()[:1] in ("{", "["):
        try:
            return json.loads(raw)
        except (ValueError, RecursionError):
            return raw
    return raw


def _probability(cell: object) -> float:
    number = as_number(cell)
    if number is None:
        raise LabelError(f"label: the probability {quoted(cell)} is not a number")
    if number < 0:
        raise LabelError(f"label: the probability {quoted(cell)} is below 0")
    return number
