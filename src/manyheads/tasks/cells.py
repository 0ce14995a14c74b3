"""Interpret a cell of a label column: missing, a number, or text.

Labels may look alike and be different, or be written in different ways and be the same.
"""

from __future__ import annotations

import ast
import json
import math
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any, TypeVar

from manyheads.tasks.python_text import python_list

if TYPE_CHECKING:
    from manyheads.tasks.kind import Kind, Target

Item = TypeVar("Item")

MISSING = "label is missing"
"""The reason that is reported for a row without a label."""

MOSTLY = 0.99
"""A column is numeric if at least this share of its cells are numbers. The other cells count as mistakes."""

LONGEST_QUOTE = 60
"""Characters of a cell that a message quotes."""


def is_missing(raw: object) -> bool:
    """Return whether a cell is missing: absent, blank, or NaN."""
    if raw is None or (isinstance(raw, float) and math.isnan(raw)):
        return True
    return isinstance(raw, str) and not raw.strip()


class Columns(dict[str, object]):
    """The cells of several columns of a row, by column. Another mapping is the content of one cell."""


def label_cell(values: Mapping[str, object], columns: Sequence[str]) -> object:
    """Return the cell of the label column of a row, or the cells of several columns. None if all are missing."""
    if len(columns) == 1:
        return values.get(columns[0])
    cells = Columns((column, values.get(column)) for column in columns)
    return None if all(map(is_missing, cells.values())) else cells


class ClassName(str):
    """The name of a class in data that has a number for it. It equals its text. `number`: that number."""

    __slots__ = ("number",)

    number: int

    def __new__(cls, name: str, number: int) -> ClassName:
        """Create a name."""
        made = super().__new__(cls, name)
        made.number = number
        return made


def spelled_number(text: str) -> int | float | None:
    """Return the number that a text spells in Python's own form, or None.

    "7", "-3", "0.5" and "1e+20" are numbers. "007", "+1", "1.10", "1E2" and "nan" are not: they may be names, and
    another spelling would be another name.
    """
    try:
        whole = int(text)
        if str(whole) == text:
            return whole
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) and str(number) == text else None


def spelled_boolean(text: str) -> bool | None:
    """Return the boolean that a text spells, in any case, or None."""
    return {"true": True, "false": False}.get(text.lower())


def as_number(raw: object) -> float | None:
    """Return the finite number in a cell, which may be a number or text. None for everything else.

    Booleans are not numbers. Neither is text such as "1_000", although Python accepts it: it may be a name.
    """
    if isinstance(raw, bool):
        return None
    try:
        text = str(raw)
        number = math.nan if "_" in text else float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def is_flag(item: object) -> bool:
    """Return whether an item is the number 0 or 1, or a boolean."""
    return isinstance(item, int | float) and item in (0, 1)


def are_flag_lists(lists: Sequence[Sequence[object]]) -> bool:
    """Return whether lists have a 0 or a 1 for each of several labels.

    They have one length, and one repeats an item.
    """
    if len({len(each) for each in lists}) != 1 or not all(is_flag(item) for each in lists for item in each):
        return False
    return any(len({bool(item) for item in each}) < len(each) for each in lists)


def listed_items(cell: object) -> list[object] | None:
    """Return the items of a list. None for another cell.

    A text may be a list in JSON, or one in the way of Python or numpy, which pandas writes to CSV files.
    """
    if isinstance(cell, list | tuple):
        return list(cell)
    text = cell.strip() if isinstance(cell, str) else ""
    if not text.startswith("["):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return python_list(text)
    return found if isinstance(found, list) else None


def object_of(cell: object) -> Mapping[Any, object] | None:
    """Return the object in a cell. None for another cell, also for the cells of several columns.

    A text may be an object in JSON, or as Python writes it, which pandas does in CSV files.
    """
    if isinstance(cell, Mapping):
        return None if isinstance(cell, Columns) else cell
    text = cell.strip() if isinstance(cell, str) else ""
    if not text.startswith("{"):
        return None
    for read in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = read(text)
            return found if isinstance(found, dict) else None
    return None


def listed_words(cell: object) -> list[str] | None:
    """Return the words of a text that is a list of texts, and perhaps numbers. None for another cell."""
    found = listed_items(cell) if isinstance(cell, str) else None
    words = [str(each) for each in found or () if isinstance(each, str | int | float) and not isinstance(each, bool)]
    return words if found and len(words) == len(found) and any(isinstance(each, str) for each in found) else None


SEPARATORS = (";", "|", ",")
"""The separators of labels in a text cell that are tried, in order."""


def separated_labels(cells: Iterable[object]) -> tuple[str, tuple[str, ...]] | None:
    """Return the separator of texts with one or several labels, and the different labels. None for other texts.

    Nearly all labels that a separator joins to others are in several different cells, and there are fewer labels than
    different cells. Numbers with a decimal comma are not lists of labels.
    """
    distinct = list(dict.fromkeys(cell.strip() for cell in cells if isinstance(cell, str)))
    for separator in SEPARATORS:
        several = [cell for cell in distinct if separator in cell]
        parts = [[part.strip() for part in cell.split(separator)] for cell in distinct]
        found = Counter(label for each in parts for label in dict.fromkeys(each))
        if len(several) < 2 or "" in found or len(found) >= len(distinct):
            continue
        numbers = separator == "," and all(as_number(label) is not None for label in found)
        if numbers and max(map(len, parts)) < 3:
            continue
        joined = {label for each in parts if len(each) > 1 for label in each}
        if sum(found[label] > 1 for label in joined) >= _REPEATED * len(joined):
            return separator, tuple(found)
    return None


_REPEATED = 0.8
"""The share of joined labels that are in several different cells."""


def quoted(raw: object) -> str:
    """Return a cell as a message quotes it. A long text, for example from a wrong column, is truncated."""
    text = repr(raw)
    return text if len(text) <= LONGEST_QUOTE else f"{text[:LONGEST_QUOTE]}..."


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


NO_LABEL = ("-", "-1", "?")
"""What files without labels, and corpora without agreement about some rows, have in place of a label."""


def is_no_label(cell: object) -> bool:
    """Return whether a cell has what stands for no label, also for each word of a text."""
    found = listed_items(cell)
    items = str(cell).split() if found is None else found
    return bool(items) and all(str(item).strip() in NO_LABEL for item in items)


def without_agreement(labels: Sequence[Item]) -> Sequence[Item]:
    """Return labels without "-", which stands for rows without agreement if all other labels are words."""
    words = [label for label in labels if label != "-"]
    spelled = all(isinstance(label, str) and any(map(str.isalpha, label)) for label in words)
    return words if len(words) > 1 and spelled else labels


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
