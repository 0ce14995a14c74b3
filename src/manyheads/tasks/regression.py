"""Regression: each text has a value within a range."""

from __future__ import annotations

import math
import re

import numpy as np
from numpy.typing import NDArray

from manyheads.tasks.cells import MISSING, as_number, is_missing, quoted
from manyheads.tasks.kind import LabelError, Predictions, finite

DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")

DECIMAL_HINT = 'if the comma is the decimal mark of the file, set decimal = ",", or on a command line --decimal ,'


class Regression:
    """A regression with values from `low` to `high`. A head's score u, from 0 to 1, is the value low + (high - low) u.

    Raises:
        ValueError: `low` is not below `high`, or one of them is not finite.
    """

    name = "regression"
    labels = None
    losses: tuple[str, ...] = ("mse", "l1")
    metrics: tuple[str, ...] = ("pearson", "spearman", "rmse")

    def __init__(self, low: float, high: float) -> None:
        if not (math.isfinite(low) and math.isfinite(high) and low < high):
            raise ValueError(f"a range needs two finite numbers, the lower first, found [{low}, {high}]")
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
        """Return 1: the head has one score per example with every loss."""
        del loss
        return 1

    def parse(self, raw: object) -> float:
        """Return the value in a cell.

        Raises:
            LabelError: The cell is empty, not a number, or outside the range.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        value = as_number(raw)
        if value is None:
            hint = DECIMAL_HINT if isinstance(raw, str) and DECIMAL_COMMA.fullmatch(raw) else None
            raise LabelError(f"label {quoted(raw)} is not a number from {self.low:g} to {self.high:g}", hint)
        if not self.low <= value <= self.high:
            raise LabelError(f"label {quoted(raw)} is outside the range {self.low:g} to {self.high:g}")
        return value

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode scores outputs[n, 1] to values.

        A negative score (a cosine below 0) gives a value below the range, as in the reference study.

        Raises:
            EncoderError: An output is not finite.
        """
        return Predictions(self.low + (self.high - self.low) * finite(outputs)[:, 0], None)

    def present(self, value: float) -> float:
        """Return the number itself."""
        return value
