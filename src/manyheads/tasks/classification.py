"""Classification: one of two or more labels."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import nearest
from manyheads.tasks.cells import MISSING, as_number, is_missing, shown
from manyheads.tasks.kind import LabelError, Predictions, finite

Label = str | int | float | bool


class Classification:
    """Labels in a fixed order; a target is a label's index.

    Numeric labels compare as numbers ("0.0", 0 and "0" are the label 0), text labels exactly after stripping.

    Raises:
        ValueError: fewer than two labels, a blank one, or two that are equal.
    """

    name = "classification"
    metrics: tuple[str, ...] = ("accuracy", "macro_f1", "mcc")
    value_range = None

    def __init__(self, labels: Sequence[Label]) -> None:
        self.labels: tuple[Label, ...] = tuple(labels)
        self._index = {canonical(label): index for index, label in enumerate(self.labels)}
        if len(self.labels) < 2:
            raise ValueError(f"a classification needs at least two labels, not {list(self.labels)}")
        if any(is_missing(label) for label in self.labels):
            raise ValueError(f"a label may not be blank: {list(self.labels)}")
        if len(self._index) < len(self.labels):
            raise ValueError(f"labels must differ, as numbers too: {list(self.labels)}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Classification) and self.labels == other.labels

    def __hash__(self) -> int:
        return hash(self.labels)

    def __repr__(self) -> str:
        return f"Classification({list(self.labels)})"

    @property
    def losses(self) -> tuple[str, ...]:
        """Two labels may be told by one logit; more need one a label."""
        if len(self.labels) == 2:
            return ("binary_cross_entropy", "cross_entropy", "l1")
        return ("cross_entropy",)

    def outputs(self, loss: str) -> int:
        """One logit a label under cross-entropy, a single one for the second label under the other losses."""
        return len(self.labels) if loss == "cross_entropy" else 1

    def parse(self, raw: object) -> float:
        """The index of the label in a cell.

        Raises:
            LabelError: the cell is empty, or no label; the nearest label is named.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        index = self._index.get(canonical(raw))
        if index is None:
            raise LabelError(self._unknown(raw))
        return float(index)

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """outputs[n, labels] by softmax, or outputs[n, 1] by the sigmoid of the second label's logit (above 0.5).

        Raises:
            EncoderError: an output is not finite.
        """
        logits = finite(outputs)
        if logits.shape[1] == 1:
            chance = sigmoid(logits[:, 0])
            return Predictions((chance > 0.5).astype(np.float64), np.stack([1.0 - chance, chance], axis=1))
        exponents = np.exp(logits - logits.max(axis=1, keepdims=True))
        probabilities = exponents / exponents.sum(axis=1, keepdims=True)
        return Predictions(probabilities.argmax(axis=1).astype(np.float64), probabilities)

    def present(self, value: float) -> Label:
        """The label of an index."""
        return self.labels[int(value)]

    def _unknown(self, raw: object) -> str:
        allowed = ", ".join(repr(label) for label in self.labels[:10]) + (", ..." if len(self.labels) > 10 else "")
        close = nearest(str(raw), [str(label) for label in self.labels])
        hint = f"; did you mean {close!r}?" if close else ""
        return f"label {shown(raw)} is none of {allowed}{hint}"


def sigmoid(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-x)) without overflow."""
    return np.where(x >= 0, 1.0, np.exp(-np.abs(x))) / (1.0 + np.exp(-np.abs(x)))


def canonical(raw: object) -> float | str:
    """What labels are compared by: a number where the cell is one, true and false as 1 and 0, else stripped text."""
    number = as_number(raw)
    if number is not None:
        return number
    text = str(raw).strip()
    return float(text.lower() == "true") if text.lower() in ("true", "false") else text
