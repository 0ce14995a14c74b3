"""The interface of a kind of task: reading labels, decoding outputs, and the losses and metrics that fit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import EncoderError


class LabelError(ValueError):
    """A label is not in the task's label space. The message is the reason that is reported for the bad row.

    `hint`: what to do about all rows with this reason, if that is known.
    """

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True)
class Predictions:
    """Decoded predictions for n examples.

    `values`: float64[n], the index of the predicted class, or the predicted value.
    `probabilities`: float64[n, classes], or None if the task predicts values.
    """

    values: NDArray[np.float64]
    probabilities: NDArray[np.float64] | None


class Kind(Protocol):
    """The interface of a kind of task. Kinds use numpy and do not need torch."""

    @property
    def name(self) -> str:
        """The name in a recipe, as in `kind = "classification"`."""

    @property
    def labels(self) -> tuple[str | int | float | bool, ...] | None:
        """The classes as the user wrote them, or None if the task predicts values."""

    @property
    def value_range(self) -> tuple[float, float] | None:
        """The lowest and highest value, or None if the task predicts classes."""

    @property
    def losses(self) -> tuple[str, ...]:
        """The losses that fit, the default first."""

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that fit, the default primary metric first. Every evaluation computes all of them."""

    def outputs(self, loss: str) -> int:
        """Return the number of outputs per example that a head has with this loss."""

    def parse(self, raw: object) -> float:
        """Return the target in a cell (text, number or boolean): a class index or a value.

        Raises:
            LabelError: The cell is empty, not a number, or outside the label space.
        """

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode a head's outputs[n, k]: logits of classes, or scores from 0 to 1 of a range.

        Raises:
            EncoderError: An output is not finite.
        """

    def present(self, value: float) -> str | int | float:
        """Return a predicted value or a target in the user's terms: the label, or the number."""


def finite(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return outputs[n, k] as float64.

    Raises:
        EncoderError: An output is NaN or infinite. A prediction made from it would look like any other.
    """
    bad = int((~np.isfinite(outputs)).any(axis=1).sum())
    if bad:
        raise EncoderError(
            "the model's outputs are not finite",
            found=f"{bad} of {len(outputs)} examples",
            hint="train again with a lower training.learning_rate, or use another model: these weights are damaged",
        )
    return outputs.astype(np.float64)
