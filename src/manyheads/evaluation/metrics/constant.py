"""When a correlation is undefined."""

from __future__ import annotations

import numpy as np

from manyheads.evaluation.metrics.metric import Floats


def constant(values: Floats) -> bool:
    """Return whether a correlation is undefined: fewer than two values, or differences within rounding errors."""
    if len(values) < 2:
        return True
    return bool(np.ptp(values) <= 1e-12 * float(np.abs(values).max()))
