"""Classification: each text has one of two or more labels."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manyheads.options import Options
from manyheads.tasks.cells import MOSTLY, as_number
from manyheads.tasks.kind import HubForm, Predictions, finite, sigmoid, softmax
from manyheads.tasks.kinds.label_options import CLASS_WEIGHTS, EQUAL_CLASSES, LABELS, labels_field, weights_field
from manyheads.tasks.kinds.one_label import OneLabel
from manyheads.tasks.labels import found_note, labels_among

FEW = 20
"""Whole numbers with at most 20 different values are taken for classes.

More of them are classes only if they start at 0 or 1, have no gaps, and have `ROWS_PER_CLASS` rows on average.
"""

ROWS_PER_CLASS = 5


class ClassificationOptions(Options):
    """The keys of a classification in the table of a task."""

    labels: LABELS | None = labels_field(
        "Classes, in the order of the model's outputs, at least two. Numbers are compared as numbers (0.0 is 0), in "
        "the usual spelling only: 007 and 1E2 are text. Default: the distinct labels of the training file, sorted.",
        least=2,
    )
    class_weights: CLASS_WEIGHTS | None = weights_field("class", EQUAL_CLASSES)


class Classification(OneLabel):
    """A classification: the losses compare the label with all others, which have no order."""

    name = "classification"
    noun = "a classification task"
    summary = "one of `labels`"
    options = ClassificationOptions
    target = "class"
    metrics = ("accuracy", "macro_f1", "mcc")

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the classification with the distinct labels of the cells."""
        del options
        labels = labels_among(name, cells, typed=typed)
        return cls(labels), found_note(name, labels)

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
        """Return a classification, unless the cells are lists, numbers with fractions or many whole numbers."""
        if any(isinstance(cell, list | tuple) for cell in cells[:1]):
            return None
        numbers = [(number, cell) for cell in cells if (number := as_number(cell)) is not None]
        if numbers and len(numbers) >= MOSTLY * len(cells):
            if not _are_classes([number for number, _ in numbers]):
                return None
            cells = [cell for _, cell in numbers]
        return cls(labels_among(name, cells, typed=typed))

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


def _are_classes(numbers: Sequence[float]) -> bool:
    if not all(number.is_integer() for number in numbers):
        return False
    distinct = set(numbers)
    if len(distinct) <= FEW:
        return True
    gapless = min(distinct) in (0, 1) and max(distinct) - min(distinct) == len(distinct) - 1
    return gapless and len(numbers) >= ROWS_PER_CLASS * len(distinct)
