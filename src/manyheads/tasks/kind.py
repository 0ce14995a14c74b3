"""What a kind of task must provide: how labels are read, how outputs are decoded, which losses and metrics fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import EncoderError


class LabelError(ValueError):
    """A label that is not in the task's label space; the message is the reason, for a report on bad rows."""


@dataclass(frozen=True)
class Predictions:
    """Decoded outputs of n examples.

    `values`: float64[n], the index of the predicted class or the predicted value.
    `probabilities`: float64[n, classes] for classes, None for values.
    """

    values: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None


class Kind(Protocol):
    """One kind of task. Plain numpy: a kind needs no torch."""

    @property
    def name(self) -> str:
        """The word of the recipe: `kind = "classification"`."""

    @property
    def labels(self) -> tuple[str | int | float | bool, ...] | None:
        """The classes as the user wrote them, or None for values."""

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The lowest and highest value, or None for classes."""

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that fit, the default first."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that fit, the default primary one first. All of them are computed at every evaluation."""

    def outputs(self, loss: str) -> int:
        """How many numbers a head gives an example under this loss (1 for one logit or one value)."""

    def parse(self, raw: object) -> float:
        """The target of a raw cell (text, number or boolean): a class index or a value.

        Raises:
            LabelError: the cell is empty, not a number, or outside the label space.
        """

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Predictions from a head's outputs[n, k]: logits of classes, or unit scores (0..1) of a range.

        Raises:
            EncoderError: an output is not finite.
        """

    def present(self, value: float) -> str | int | float:
        """A predicted or target value as the user wrote it: the label's name, or the number."""


def finite(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Outputs[n, k] in float64.

    Raises:
        EncoderError: one is NaN or infinite; a prediction made from it would look like any other.
    """
    bad = int((~np.isfinite(outputs)).any(axis=1).sum())
    if bad:
        raise EncoderError(
            "the model's outputs are not finite",
            found=f"{bad} of {len(outputs)} examples",
            hint="lower training.learning_rate, or go back to a sound model: its weights cannot be used",
        )
    return outputs.astype(np.float64)
