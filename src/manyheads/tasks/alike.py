"""Labels that look alike and are different, and labels that are written in different ways and are the same."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from manyheads.tasks.cells import quoted

if TYPE_CHECKING:
    from manyheads.tasks.kind import Kind, Target

SPELLINGS = 4
"""Spellings of a class that are kept."""


def alike(labels: Iterable[object]) -> list[tuple[object, ...]]:
    """Return the groups of labels that differ only in case, in blanks, in invisible characters, in the form of equal
    characters in Unicode, or in the spelling of a number, in the order of the labels."""
    groups: dict[object, list[object]] = {}
    for label in labels:
        groups.setdefault(_form(label), []).append(label)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def alike_warnings(labels: Iterable[object]) -> list[str]:
    """Return a warning for each group of labels that look alike."""
    return [alike_warning(group) for group in alike(labels)]


def alike_warning(group: Iterable[object]) -> str:
    """Return the warning for labels that look alike. Invisible characters and accents of a text are visible in it."""
    shown = [_visible(label) for label in group]
    return f"the labels {' and '.join(shown)} are different labels, but look alike"


def _form(label: object) -> object:
    """Return what is equal for labels that look alike."""
    text = str(label)
    try:
        number = Decimal("nan" if "_" in text else text)
    except InvalidOperation:
        number = Decimal("nan")
    if number.is_finite():
        return number
    text = unicodedata.normalize("NFKC", text).casefold()
    kept = "".join(letter for letter in text if unicodedata.category(letter) not in ("Cf", "Cc"))
    return " ".join(unicodedata.normalize("NFC", kept).split())


def _visible(label: object) -> str:
    text = str(label)
    if text.isascii():
        return quoted(label)
    plain = unicodedata.is_normalized("NFC", text) and text.isprintable()
    return quoted(label) if plain else quoted(label) + f" ({text!a})"


class Spellings:
    """How the labels of a file are written. Each label keeps its first few spellings."""

    def __init__(self, kind: Kind) -> None:
        self._kind = kind
        self._found: dict[object, list[str]] = {}

    def add(self, target: Target, cell: object) -> None:
        """Add the cell of one row, and its target."""
        for label, text in self._kind.written(cell, target):
            found = self._found.setdefault(label, [])
            if text not in found and len(found) < SPELLINGS:
                found.append(text)

    def warnings(self) -> list[str]:
        """Return a warning for each label that the file writes in several ways, in the order of the labels."""
        order = {name: place for place, name in enumerate(self._kind.probability_names)}
        several = [(label, found) for label, found in self._found.items() if len(found) > 1]
        several.sort(key=lambda each: order.get(str(each[0]), 0))
        return [f"the labels {' and '.join(map(repr, found))} are the same class {label!r}" for label, found in several]
