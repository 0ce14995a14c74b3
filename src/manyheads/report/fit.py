"""The line that predictions follow over true values."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats


@dataclass(frozen=True)
class Fit:
    """Least squares: prediction = intercept + slope x true value. A slope below 1 draws predictions to the middle."""

    slope: float
    intercept: float

    @property
    def equation(self) -> str:
        """The line in words: `prediction = 0.42 + 0.86 x true value`."""
        sign = "-" if self.slope < 0 else "+"
        return f"prediction = {self.intercept:.2f} {sign} {abs(self.slope):.2f} x true value"


def fit(predictions: NDArray[np.float64], targets: NDArray[np.float64]) -> Fit | None:
    """The line over n examples; None where all true values are one."""
    if len(targets) < 2 or float(np.ptp(targets)) == 0:
        return None
    found = stats.linregress(targets, predictions)
    return Fit(float(found.slope), float(found.intercept))
