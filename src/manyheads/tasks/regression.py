"""Regression: a value within a range."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from manyheads.tasks.cells import MISSING, as_number, is_missing, shown
from manyheads.tasks.kind import LabelError, Predictions, finite


class Regression:
    """A value from `low` to `high`; a head's unit score u is the value low + (high - low) u.

    Raises:
        ValueError: `low` is not below `high`, or one is not finite.
    """

    name = "regression"
    labels = None
    losses: tuple[str, ...] = ("mse", "l1")
    metrics: tuple[str, ...] = ("pearson", "spearman", "rmse")

    def __init__(self, low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"a range needs two numbers, the lower first, not [{low}, {high}]")
        self.low, self.high = float(low), float(high)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Regression) and self.value_range == other.value_range

    def __hash__(self) -> int:
        return hash(self.value_range)

    def __repr__(self) -> str:
        return f"Regression({self.low:g}, {self.high:g})"

    @property
    def value_range(self) -> tuple[float, float]:
        """The lowest and the highest value."""
        return (self.low, self.high)

    def outputs(self, loss: str) -> int:
        """One unit score, whatever the loss."""
        del loss
        return 1

    def parse(self, raw: object) -> float:
        """The value in a cell.

        Raises:
            LabelError: the cell is empty, not a number, or outside the range.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        value = as_number(raw)
        if value is None:
            raise LabelError(f"label {shown(raw)} is not a number ({self.low:g} to {self.high:g})")
        if not self.low <= value <= self.high:
            raise LabelError(f"label {shown(raw)} is outside the range {self.low:g} to {self.high:g}")
        return value

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Values from unit scores outputs[n, 1]; a cosine below 0 gives one below the range, as in the reference.

        Raises:
            EncoderError: an output is not finite.
        """
        return Predictions(self.low + (self.high - self.low) * finite(outputs)[:, 0], None)

    def present(self, value: float) -> float:
        """The number itself."""
        return value
