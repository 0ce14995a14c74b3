"""The regression line of predictions over true values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyheads.tasks.numbers import fixed


@dataclass(frozen=True)
class Fit:
    """The least squares line: prediction = intercept + slope x true value."""

    slope: float
    intercept: float

    @property
    def equation(self) -> str:
        """The equation of the line, such as `prediction = 0.42 + 0.86 x true value`."""
        sign = "-" if self.slope < 0 else "+"
        return f"prediction = {fixed(self.intercept, 2)} {sign} {fixed(abs(self.slope), 2)} x true value"


def fit(predictions: NDArray[np.float64], targets: NDArray[np.float64]) -> Fit | None:
    """Fit the line to n examples. None if all true values are equal."""
    if len(targets) < 2 or float(np.ptp(targets)) == 0:
        return None
    line = stats.linregress(targets, predictions)
    return Fit(float(line.slope), float(line.intercept))
