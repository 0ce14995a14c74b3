"""Decimals of numbers. Their precision follows the size of the number, so small numbers keep their digits."""

from __future__ import annotations

import numpy as np


def shortest(value: float | np.floating) -> float:
    """Return the shortest decimal that gives the same float32: 2.4 for 2.4000000953674316."""
    return float(str(np.float32(value)))


def resolved(low: float, high: float) -> bool:
    """Return whether float32 has a million steps or more within a range, also at its far end."""
    largest = max(abs(low), abs(high))
    limits = np.finfo(np.float32)
    return (
        largest < float(limits.max)
        and high - low > 1e6 * float(limits.tiny)
        and float(np.spacing(np.float32(largest))) <= 1e-6 * (high - low)
    )


def fixed(value: float, digits: int) -> str:
    """Format a number with fixed decimals, or with that number of significant digits if the decimals would be zeros."""
    small = value != 0 and abs(value) < 10.0**-digits
    return f"{value:.{digits}g}" if small else f"{value:.{digits}f}"
