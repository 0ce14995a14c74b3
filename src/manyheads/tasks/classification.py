"""Classification: each text has one of two or more labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import nearest
from manyheads.tasks.cells import MISSING, ClassName, is_missing, quoted, spelled_boolean, spelled_number
from manyheads.tasks.kind import LabelError, Predictions, finite

Label = str | int | float | bool

SEVERAL_HINT = "a classification has one label per row: write one label per cell, or use a column with one label"


class Classification:
    """A classification with labels in a fixed order. A target is the index of a label.

    Text labels are compared exactly, without outer blanks. Numeric labels are compared as numbers: "0.0", 0 and "0"
    are the label 0. Text is a number only where Python would write the number in the same way: "007", "1E2" and "1.10"
    are text. "true" and "false", in any case, are booleans where the labels are booleans or 0 and 1.

    Raises:
        ValueError: There are fewer than two labels, a label is blank, or two labels are equal.
    """

    name = "classification"
    metrics: tuple[str, ...] = ("accuracy", "macro_f1", "mcc")
    value_range = None

    def __init__(self, labels: Sequence[Label]) -> None:
        self.labels: tuple[Label, ...] = tuple(labels)
        if len(self.labels) < 2:
            raise ValueError(f"a classification needs at least two labels, found {list(self.labels)}")
        if any(is_missing(label) for label in self.labels):
            raise ValueError(f"a label must not be blank, found {list(self.labels)}")
        self._texts = {label.strip(): index for index, label in enumerate(self.labels) if isinstance(label, str)}
        self._numbers: dict[int | float, int] = {
            label: index for index, label in enumerate(self.labels) if not isinstance(label, str)
        }
        spelled = {text: spelled_number(text) for text in self._texts}
        equal = any(number in self._numbers for number in spelled.values() if number is not None)
        if equal or len(self._texts) + len(self._numbers) < len(self.labels) or len(self._names()) < len(self.labels):
            raise ValueError(f"labels must differ (1 and '1.0' are the same label), found {list(self.labels)}")
        self._booleans = {label: index for index, label in enumerate(self.labels) if isinstance(label, bool)}
        _add_single(self._booleans, {text: spelled_boolean(text) for text in self._texts}, self._texts)
        self._booleans = {**{bool(at): self._numbers[at] for at in (0, 1) if at in self._numbers}, **self._booleans}
        _add_single(self._numbers, spelled, self._texts)
        for index, label in enumerate(self.labels):
            self._texts.setdefault(str(label), index)

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
        if isinstance(raw, list | tuple | dict):
            raise LabelError(f"several labels in a cell, {quoted(raw)}", SEVERAL_HINT)
        index = self._find(raw)
        if index is None:
            raise LabelError(self._unknown(raw))
        return float(index)

    def _find(self, raw: object) -> int | None:
        """Return the index of a label. Text is first compared as text, and only then as a number or a boolean."""
        text = str(raw).strip()
        if isinstance(raw, bool):
            index = self._booleans.get(raw)
        elif isinstance(raw, int | float):
            index = self._numbers.get(raw)
        else:
            index = self._texts.get(text)
            number = raw.number if isinstance(raw, ClassName) else spelled_number(text)
            boolean = spelled_boolean(text)
            if index is None and number is not None:
                index = self._numbers.get(number)
            if index is None and boolean is not None:
                index = self._booleans.get(boolean)
        return self._texts.get(text) if index is None else index

    def _names(self) -> set[str]:
        """Return the labels as text: the names of their probabilities."""
        return {str(label) for label in self.labels}

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


def _add_single(index: dict[Any, int], spelled: Mapping[str, Any], texts: Mapping[str, int]) -> None:
    """Add the texts that spell a value to the index of this value, where only one of them spells it."""
    values = [value for value in spelled.values() if value is not None]
    for text, value in spelled.items():
        if value is not None and values.count(value) == 1:
            index.setdefault(value, texts[text])
