"""Labels: a label space in a fixed order, and how cells are read as its labels."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import DataError, nearest
from manyheads.tasks.cells import ClassName, is_missing, quoted, spelled_boolean, spelled_number
from manyheads.tasks.written import markdown_code, shortest

Label = str | int | float | bool

MOST_LABELS = 1000
"""A label column with more distinct labels is an error: it is probably a column of ids or texts."""

UNKNOWN = "unknown label"
"""What a report shows in place of a label that training does not know."""

LISTED = 10
"""Labels that a message lists. The others are counted."""

LISTED_IN_CARDS = 8
"""Labels that a model card lists."""

EXACT = 2**53
"""Floating-point numbers below are exact as integers."""

LARGEST = 2**63
"""Integers below have a type in every format."""


class Labels(Sequence[Label]):
    """Labels in a fixed order. The code of a label is its place.

    Text labels are compared exactly, without outer blanks. Numeric labels are compared as numbers: "0.0", 0 and "0"
    are the label 0. Text is a number only where Python would write the number in the same way: "007", "1E2" and "1.10"
    are text. "true" and "false", in any case, are booleans where the labels are booleans or 0 and 1.

    Args:
        labels: the labels.
        noun: what the task is called in messages, with its article.
        least: the smallest number of labels.

    Raises:
        ValueError: There are fewer than `least` labels, a label is blank, or two labels are equal.
    """

    def __init__(self, labels: Iterable[Label], *, noun: str, least: int = 2) -> None:
        self._labels: tuple[Label, ...] = tuple(labels)
        if len(self._labels) < least:
            count = {1: "one label", 2: "two labels", 3: "three labels"}[least]
            raise ValueError(f"{noun} needs at least {count}, found {list(self._labels)}")
        if any(is_missing(label) for label in self._labels):
            raise ValueError(f"a label must not be blank, found {list(self._labels)}")
        self._texts = {label.strip(): code for code, label in enumerate(self._labels) if isinstance(label, str)}
        self._numbers: dict[int | float, int] = {
            label: code for code, label in enumerate(self._labels) if not isinstance(label, str)
        }
        spelled = {text: spelled_number(text) for text in self._texts}
        equal = any(number in self._numbers for number in spelled.values() if number is not None)
        if equal or len(self._texts) + len(self._numbers) < len(self) or len(set(self.names)) < len(self):
            raise ValueError(f"labels must differ (1 and '1.0' are the same label), found {list(self._labels)}")
        self._booleans = {label: code for code, label in enumerate(self._labels) if isinstance(label, bool)}
        _add_single(self._booleans, {text: spelled_boolean(text) for text in self._texts}, self._texts)
        self._booleans = {**{bool(at): self._numbers[at] for at in (0, 1) if at in self._numbers}, **self._booleans}
        _add_single(self._numbers, spelled, self._texts)
        for code, label in enumerate(self._labels):
            self._texts.setdefault(str(label), code)

    def __len__(self) -> int:
        return len(self._labels)

    def __getitem__(self, place: Any) -> Any:
        return self._labels[place]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Labels | tuple) and self._labels == tuple(other)

    def __hash__(self) -> int:
        return hash(self._labels)

    def __repr__(self) -> str:
        return repr(list(self._labels))

    @property
    def names(self) -> tuple[str, ...]:
        """The labels as text: the names of their probabilities."""
        return tuple(str(label) for label in self._labels)

    def find(self, raw: object) -> int | None:
        """Return the code of the label in a cell, or None. Text is first compared as text, then as a number."""
        text = str(raw).strip()
        if isinstance(raw, bool):
            code = self._booleans.get(raw)
        elif isinstance(raw, int | float):
            code = self._numbers.get(raw)
        else:
            code = self._texts.get(text)
            number = raw.number if isinstance(raw, ClassName) else spelled_number(text)
            boolean = spelled_boolean(text)
            if code is None and number is not None:
                code = self._numbers.get(number)
            if code is None and boolean is not None:
                code = self._booleans.get(boolean)
        return self._texts.get(text) if code is None else code

    def code(self, raw: object) -> int:
        """Return the index of a label, or their number for a label that is not one of them."""
        code = self.find(raw)
        return len(self) if code is None else code

    def unknown(self, raw: object) -> str:
        """Return the reason for a cell that is not one of the labels. It names the nearest label."""
        allowed = ", ".join(repr(label) for label in self._labels[:LISTED]) + (", ..." if len(self) > LISTED else "")
        close = nearest(str(raw), list(self.names))
        hint = f"; did you mean {close!r}?" if close else ""
        return f"label {quoted(raw)} is not one of {allowed}{hint}"


def labels_among(
    name: str, cells: Iterable[object], *, typed: bool = False, least: int = 2, hint: str = 'set kind = "regression"'
) -> tuple[Label, ...]:
    """Return the distinct labels: first numbers in ascending order, then texts in alphabetical order.

    Named classes keep the order of the data set. A column in which every text is "true" or "false" has booleans.

    Args:
        name: the name of the file in messages.
        cells: cells of the label column. A cell with several labels is ignored; reading refuses its row.
        typed: whether text is text. Otherwise it may spell a number.
        least: the smallest number of labels.
        hint: what else to do about a column with too many labels.

    Raises:
        DataError: there are fewer than `least` labels, or more than `MOST_LABELS`.
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
    if len(distinct) < least:
        count = {1: "no label", 2: "fewer than two labels", 3: "fewer than three labels"}[least]
        raise DataError(
            f"the label column has {count}",
            where=name,
            found=distinct,
            hint="list the labels in the recipe, labels = [...], if the file is correct",
        )
    if len(distinct) > MOST_LABELS:
        raise DataError(
            "the label column has too many different values for a classification",
            where=name,
            found=f"more than {MOST_LABELS}",
            allowed=f"at most {MOST_LABELS}",
            hint=f"choose another label column, or {hint}",
        )
    return tuple(str(label) if isinstance(label, str) else label for label in distinct)


def found_note(name: str, labels: Sequence[Label]) -> str:
    """Return the note about labels that were found in a file."""
    shown = ", ".join(map(str, labels[:LISTED])) + (", ..." if len(labels) > LISTED else "")
    return f"{len(labels)} labels found in {name}: {shown}"


def listed(labels: Sequence[Label]) -> str:
    """Return the number of labels and the first ones in Markdown."""
    shown = ", ".join(markdown_code(str(label)) for label in labels[:LISTED_IN_CARDS])
    return f"{len(labels)}: {shown}{', ...' if len(labels) > LISTED_IN_CARDS else ''}"


def named_probabilities(labels: Labels, probabilities: NDArray[np.float64] | None, row: int) -> dict[str, float]:
    """Return the probabilities of one row by the names of the labels."""
    if probabilities is None:
        raise ValueError("the predictions have no probabilities")
    return dict(zip(labels.names, map(shortest, probabilities[row]), strict=True))


def counts_digest(counts: Mapping[Any, int], rows: int) -> str:
    """Return the share of each label in a few words, or the rarest of many."""
    if len(counts) > LISTED:
        rarest = min(counts.items(), key=lambda pair: pair[1])
        return f"{len(counts)} labels; the rarest, {rarest[0]!r}, is in {rarest[1]} of {rows:,} rows"
    return ", ".join(f"{label}: {count / max(1, rows):.0%}" for label, count in counts.items())


def label_type(labels: Iterable[Label]) -> type:
    """Return the type of a column of labels: text if they are not all numbers, or not all booleans."""
    labels = list(labels)
    if all(isinstance(label, bool) for label in labels):
        return bool
    numbers = all(isinstance(label, int | float) and not isinstance(label, bool) for label in labels)
    if not numbers or any(isinstance(label, int) and abs(label) >= LARGEST for label in labels):
        return str
    return int if all(isinstance(label, int) for label in labels) else float


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


def _add_single(index: dict[Any, int], spelled: Mapping[str, Any], texts: Mapping[str, int]) -> None:
    """Add the texts that spell a value to the index of this value, where only one of them spells it."""
    values = [value for value in spelled.values() if value is not None]
    for text, value in spelled.items():
        if value is not None and values.count(value) == 1:
            index.setdefault(value, texts[text])
