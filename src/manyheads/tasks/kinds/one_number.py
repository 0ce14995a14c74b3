"""What the kinds have in common whose target is one number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from manyheads.tasks.kind import Floats, Ints, Kind, Predictions, Target
from manyheads.tasks.written import shortest

BINS = 5
"""Groups of values in strata and reports."""


class OneNumber(Kind):
    """A kind whose targets and predictions are numbers."""

    def present(self, target: Target) -> float:
        """Return the number as it is written. A range that float32 does not resolve stays in float64."""
        return shortest(float(target)) if self.resolved else float(target)

    def code(self, presented: Any) -> float:
        """Return the number itself."""
        return float(presented)

    def show(self, target: Target) -> str:
        """Return the number with three significant digits."""
        return f"{float(target):.3g}"

    @property
    def column(self) -> tuple[type, Mapping[Any, float] | None] | None:
        """Numbers."""
        return float, None

    @property
    def columns(self) -> Mapping[str, type]:
        """The column `prediction`, a number."""
        return {"prediction": float}

    def record(self, predictions: Predictions, row: int) -> dict[str, Any]:
        """Return the number."""
        value = self.present(float(predictions.values[row]))
        return {"prediction": value, "value": value}

    def strata(self, targets: Floats) -> Ints:
        """Return the fifth of the targets that each one is in."""
        if not len(targets):
            return np.zeros(0, dtype=np.int64)
        edges = np.quantile(targets, np.arange(1, BINS) / BINS)
        return np.searchsorted(edges, targets, side="right").astype(np.int64)
