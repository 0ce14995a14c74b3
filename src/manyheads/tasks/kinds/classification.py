"""Classification: each text has one of two or more labels. A soft label has the probability of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import chain
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.errors import DataError
from manyheads.options import Options
from manyheads.tasks.cells import (
    MISSING,
    MOSTLY,
    Columns,
    as_number,
    is_missing,
    listed_items,
    object_of,
    quoted,
    separated_labels,
    without_agreement,
)
from manyheads.tasks.kind import (
    Floats,
    HubForm,
    KeyFault,
    LabelError,
    Predictions,
    Target,
    UnknownLabelError,
    finite,
    sigmoid,
    softmax,
)
from manyheads.tasks.kinds.one_label import (
    CLASS_WEIGHTS,
    EQUAL_CLASSES,
    LABELS,
    SEVERAL_HINT,
    OneLabel,
    labels_field,
    weights_field,
)
from manyheads.tasks.labels import Label, Labels, found_note, labels_among
from manyheads.tasks.tags import are_tag_lines

FEW = 20
"""Whole numbers with at most 20 different values are taken for classes.

More of them are classes only if they start at 0 or 1, have no gaps, and have `ROWS_PER_CLASS` rows on average.
"""

ROWS_PER_CLASS = 5

SOFT_HINT = "if the cells have the probabilities of the labels, set soft = true"


class ClassificationOptions(Options):
    """The keys of a classification in the table of a task."""

    labels: LABELS | None = labels_field(
        "Classes, in the order of the model's outputs, at least two. Numbers are compared as numbers (0.0 is 0), in "
        "the usual spelling only: 007 and 1E2 are text. Default: the distinct labels of the training file, sorted.",
        least=2,
    )
    soft: bool | None = Field(
        default=None,
        description="Whether labels are soft: the probability of each label, with sum 1 to within 0.001. A cell is an "
        'object such as {"neg": 0.2, "pos": 0.8}, a list in the order of `labels`, either as JSON text, or a single '
        "label; or `label` lists one column per label. The loss of a row is the sum of the losses of the labels, each "
        "multiplied by its probability. Metrics and reports compare with the most probable label, of equal ones the "
        "first. Default: true if `label` lists columns, otherwise false.",
    )
    class_weights: CLASS_WEIGHTS | None = weights_field("class", EQUAL_CLASSES)


class Classification(OneLabel):
    """A classification: the losses compare the label with all others, which have no order.

    With `soft`, a cell has the probability of each label. The target is the most probable one, of equal ones the first.
    """

    name = "classification"
    noun = "a classification task"
    summary = "one of `labels`"
    options = ClassificationOptions
    target = "class"
    metrics = ("accuracy", "macro_f1", "mcc")
    several_columns = True

    def __init__(self, labels: Iterable[Label], *, soft: bool = False) -> None:
        super().__init__(labels)
        self.soft_shape = (len(self.labels),) if soft else ()

    @classmethod
    def of(cls, options: Any) -> Self | None:
        """Return the classification with the labels of the recipe."""
        return None if options.labels is None else cls(options.labels, soft=_is_soft(options))

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield the faults of the labels and the weights, and several columns whose labels are not soft."""
        yield from super().faults(options)
        columns = getattr(options, "label", None)
        if isinstance(columns, list) and not _is_soft(options):
            what = "several label columns have the probabilities of the labels, which are soft"
            yield KeyFault("soft", what, options.soft, "true", "remove soft, or name one column")
        elif isinstance(columns, list) and len(columns) < 2:
            yield KeyFault("label", "soft labels need one column per label", columns, "two or more columns")

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the classification with the distinct labels of the cells, or with the names of the columns."""
        cells = iter(cells)
        first = next(cells, None)
        cells = () if first is None else chain([first], cells)
        soft = _is_soft(options)
        if isinstance(first, Columns):
            labels: tuple[Label, ...] = tuple(first)
        else:
            try:
                labels = labels_among(name, _labels_within(cells) if soft else cells, typed=typed)
            except LabelError as error:
                raise DataError(str(error), where=name, hint="list the labels in the recipe, labels = [...]") from None
        return cls(labels, soft=soft), found_note(name, labels)

    @classmethod
    def refused(cls, cell: object) -> LabelError | None:
        """Return an error for a cell with several labels."""
        if isinstance(cell, list | tuple | dict) and not isinstance(cell, Columns):
            return LabelError("several labels in a cell", f"{SEVERAL_HINT}; {SOFT_HINT}")
        return None

    def space(self) -> dict[str, Any]:
        """Return the labels, and whether they are soft."""
        return {**super().space(), **({"soft": True} if self.soft_shape else {})}

    def parse(self, raw: object) -> float:
        """Return the index of the label in a cell, or of the most probable one."""
        return float(self.soften(raw).argmax()) if self.soft_shape else super().parse(raw)

    def soften(self, raw: object) -> Floats:
        """Return the probability of each label."""
        return soft_label(raw, self.labels)

    def written(self, raw: object, target: Target) -> Iterable[tuple[object, str]]:
        """Yield the label with the text of the cell, unless the labels are soft."""
        return () if self.soft_shape else super().written(raw, target)

    @classmethod
    def sample(cls) -> Self:
        """Return a classification with two labels."""
        return cls([0, 1])

    @classmethod
    def narrower(cls) -> Iterator[tuple[dict[str, Any], Self]]:
        """Yield three labels: a single logit needs exactly two."""
        yield {"labels": {"type": "array", "minItems": 3}}, cls(range(3))

    @classmethod
    def guess(cls, cells: Sequence[object], *, name: str, typed: bool) -> Self | None:
        """Return a classification, unless the cells are lists, numbers with fractions or many whole numbers.

        If the cells are objects with the probability of each label, the labels are soft.
        """
        if cells and all(object_of(cell) is not None for cell in cells):
            return cls._soft(cells, name)
        if any(isinstance(cell, Columns) or listed_items(cell) is not None for cell in cells[:1]):
            return None
        if are_tag_lines(cells):
            return None
        if separated_labels(cells) is not None:
            return None
        numbers = [(number, cell) for cell in cells if (number := as_number(cell)) is not None]
        if numbers and len(numbers) >= MOSTLY * len(cells):
            if not _are_classes([number for number, _ in numbers]):
                return None
            cells = [cell for _, cell in numbers]
        return cls(without_agreement(labels_among(name, cells, typed=typed)))

    @classmethod
    def _soft(cls, cells: Sequence[object], name: str) -> Self | None:
        """Return the kind with soft labels if most of the cells have their probabilities."""
        try:
            guess = cls(labels_among(name, _labels_within(cells), typed=True), soft=True)
        except DataError:
            return None
        usable = 0
        for cell in cells:
            with suppress(LabelError):
                guess.soften(cell)
                usable += 1
        return guess if usable >= MOSTLY * len(cells) else None

    @property
    def alternative(self) -> str | None:
        """Three or more numbers may also be values."""
        number = len(self.labels) > 2 and all(not isinstance(label, str) for label in self.labels)
        return 'one of `labels`; or "regression": a number in `range = [LOW, HIGH]`' if number else None

    @property
    def forms(self) -> Mapping[str, int]:
        """A logit per label or, for two labels, one logit of the second label."""
        single = {"logit": 1} if len(self.labels) == 2 else {}
        return {**single, "logits": len(self.labels)}

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode logits to labels and probabilities.

        `outputs[n, labels]` are decoded with the softmax. `outputs[n, 1]` are decoded with the sigmoid, which gives
        the probability of the second label; it is predicted above 0.5.
        """
        logits = finite(outputs)
        if logits.shape[1] == 1:
            second = sigmoid(logits[:, 0])
            return Predictions((second > 0.5).astype(np.float64), np.stack([1.0 - second, second], axis=1))
        probabilities = softmax(logits)
        return Predictions(probabilities.argmax(axis=1).astype(np.float64), probabilities)

    @property
    def hub(self) -> HubForm:
        """One label per text."""
        return HubForm(self.labels.names, "single_label_classification")


def _is_soft(options: Any) -> bool:
    several = isinstance(getattr(options, "label", None), list)
    return several if options.soft is None else bool(options.soft)


def _are_classes(numbers: Sequence[float]) -> bool:
    if not all(number.is_integer() for number in numbers):
        return False
    distinct = set(numbers)
    if len(distinct) <= FEW:
        return True
    gapless = min(distinct) in (0, 1) and max(distinct) - min(distinct) == len(distinct) - 1
    return gapless and len(numbers) >= ROWS_PER_CLASS * len(distinct)


TOLERANCE = 1e-3
"""How far the sum of the probabilities of a row may be from 1."""

ROUNDING = 1e-9
"""How far the sum of decimals, such as 0.189 + 0.364 + 0.446, may be from the exact one."""

VOTES_HINT = "if the numbers are votes, divide each of them by the sum of its row"


def soft_label(raw: object, labels: Labels) -> Floats:
    """Return the probability of each label in a cell, or in the cells of several columns: float64[labels], sum 1.

    A cell is an object of labels and probabilities, in which absent labels have the probability 0; a list of
    probabilities in the order of the labels; one of the two as JSON text; or a label, whose probability is then 1.

    Raises:
        UnknownLabelError: The cell has a label that is not among the labels, and no other fault. It presents the most
            probable label.
        LabelError: The cell is empty or something else, or the probabilities are negative or do not add up to 1.
    """
    cell = raw if isinstance(raw, Mapping) else _value(raw)
    if is_missing(cell):
        raise LabelError(MISSING)
    numbers = np.zeros(len(labels))
    strangers: dict[str, float] = {}
    if isinstance(cell, Mapping) and not isinstance(cell, Columns):
        for name, value in cell.items():
            code = labels.find(name)
            # A struct of a Parquet file has null for a key that a row lacks.
            number = 0.0 if value is None else _probability(value)
            if code is None:
                strangers[str(name).strip()] = number
            else:
                numbers[code] = number
    elif isinstance(cell, Columns | list | tuple):
        values = [*cell.values()] if isinstance(cell, Columns) else [*cell]
        if len(values) != len(labels):
            raise LabelError(f"label {quoted(cell)} has {len(values)} probabilities, for {len(labels)} labels")
        numbers[:] = [_probability(value) for value in values]
    else:
        code = labels.find(cell)
        if code is None:
            strangers[str(cell).strip()] = 1.0
        else:
            numbers[code] = 1.0
    total = float(numbers.sum()) + sum(strangers.values())
    if abs(total - 1) > TOLERANCE + ROUNDING:
        hint = VOTES_HINT if total > 1 else None
        raise LabelError(f"label {quoted(cell)}: the probabilities add up to {total:.6g} and not to 1", hint)
    if strangers:
        probable = max(strangers, key=lambda name: strangers[name])
        most = labels[int(numbers.argmax())] if numbers.max() >= strangers[probable] else probable
        raise UnknownLabelError(labels.unknown(next(iter(strangers))), list(strangers), most)
    shares: Floats = numbers / total
    return shares


def _labels_within(cells: Iterable[object]) -> Iterator[object]:
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
    if not isinstance(raw, str):
        return raw
    named, items = object_of(raw), listed_items(raw)
    return named if named is not None else raw if items is None else items


def _probability(cell: object) -> float:
    number = as_number(cell)
    if number is None:
        raise LabelError(f"label: the probability {quoted(cell)} is not a number")
    if number < 0:
        raise LabelError(f"label: the probability {quoted(cell)} is below 0")
    return number
