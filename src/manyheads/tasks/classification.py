"""Classification: each text has one of two or more labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import nearest
from manyheads.tasks.cells import MISSING, as_number, is_missing, quoted
from manyheads.tasks.kind import LabelError, Predictions, finite

Label = str | int | float | bool


class Classification:
    """A classification with labels in a fixed order. A target is the index of a label.

    Numeric labels are compared as numbers ("0.0", 0 and "0" are the label 0). Text labels are compared exactly,
    without outer blanks.

    Raises:
        ValueError: There are fewer than two labels, a label is blank, or two labels are equal.
    """

    name = "classification"
    metrics: tuple[str, ...] = ("accuracy", "macro_f1", "mcc")
    value_range = None

    def __init__(self, labels: Sequence[Label]) -> None:
        self.labels: tuple[Label, ...] = tuple(labels)
        self._index = {canonical(label): index for index, label in enumerate(self.labels)}
        if len(self.labels) < 2:
            raise ValueError(f"a classification needs at least two labels, found {list(self.labels)}")
        if any(is_missing(label) for label in self.labels):
            raise ValueError(f"a label must not be blank, found {list(self.labels)}")
        if len(self._index) < len(self.labels):
            raise ValueError(f"labels must differ (1 and '1.0' are the same label), found {list(self.labels)}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classification) and self.labels == other.labels

    def __hash__(self) -> int:
        return hash(self.labels)

    def __repr__(self) -> str:
        return f"Classification({list(self.labels)})"

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that fit, the default first. Those that use a single logit need exactly two labels."""
        if len(self.labels) == 2:
            return ("binary_cross_entropy", "cross_entropy", "l1")
        return ("cross_entropy",)

    def outputs(self, loss: str) -> int:
        """Return the number of logits: one per label for cross-entropy, otherwise one, for the second label."""
        return len(self.labels) if loss == "cross_entropy" else 1

    def parse(self, raw: object) -> float:
        """Return the index of the label in a cell.

        Raises:
            LabelError: The cell is empty or is not one of the labels. The message names the nearest label.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        index = self._index.get(canonical(raw))
        if index is None:
            raise LabelError(self._unknown(raw))
        return float(index)

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode logits to labels and probabilities.

        `outputs[n, labels]` are decoded with the softmax. `outputs[n, 1]` are decoded with the sigmoid, which gives
        the probability of the second label; it is predicted above 0.5.

        Raises:
            EncoderError: An output is not finite.
        """
        logits = finite(outputs)
        if logits.shape[1] == 1:
            second = sigmoid(logits[:, 0])
            return Predictions((second > 0.5).astype(np.float64), np.stack([1.0 - second, second], axis=1))
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        return Predictions(probabilities.argmax(axis=1).astype(np.float64), probabilities)

    def present(self, value: float) -> Label:
        """Return the label with this index."""
        return self.labels[int(value)]

    def _unknown(self, raw: object) -> str:
        allowed = ", ".join(repr(label) for label in self.labels[:10]) + (", ..." if len(self.labels) > 10 else "")
        close = nearest(str(raw), [str(label) for label in self.labels])
        hint = f"; did you mean {close!r}?" if close else ""
        return f"label {quoted(raw)} is not one of {allowed}{hint}"


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return 1 / (1 + exp(-x)), computed without overflow."""
    return np.where(x >= 0, 1.0, np.exp(-np.abs(x))) / (1.0 + np.exp(-np.abs(x)))


def canonical(raw: object) -> float | str:
    """Return the form in which labels are compared.

    Numbers are compared as numbers, "true" and "false" as 1 and 0, and other text without outer blanks.
    """
    number = as_number(raw)
    if number is not None:
        return number
    text = str(raw).strip()
    return float(text.lower() == "true") if text.lower() in ("true", "false") else text
