"""Calibration: whether predictions with a probability of 80% are correct 80% of the time."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from manyheads.reports.keys import stored_as

BINS = 10
DRAWS = 200
"""Number of simulations of a perfectly calibrated model, which give the error that is expected by chance."""


@dataclass(frozen=True)
class Bin:
    """The predictions with a confidence between `low` and `high`: their number, mean confidence and accuracy."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The bins of a reliability diagram that are not empty, and the expected calibration error.

    `expected_error`: 95% of perfectly calibrated models with the same confidences have a smaller error. With few
    examples it is clearly above 0.
    """

    bins: tuple[Bin, ...]
    error: float
    expected_error: float = field(metadata=stored_as("chance"))
    count: int

    @property
    def overconfidence(self) -> float:
        """Mean confidence minus accuracy. Above 0 the run is overconfident."""
        return sum(bin_.count * (bin_.confidence - bin_.accuracy) for bin_ in self.bins) / self.count


def calibrate(confidence: NDArray[np.float64], correct: NDArray[np.bool_]) -> Calibration | None:
    """Compute the calibration of n predictions in ten bins of equal width. None if n is 0.

    Sources: Naeini et al. (2015), Guo et al. (2017).
    """
    count = len(confidence)
    if not count:
        return None
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    sizes = np.bincount(place, minlength=BINS)
    sums, hits = _sums(place, confidence), _sums(place, correct)
    draws = np.random.default_rng(0)
    simulated = [_error(sums, _sums(place, draws.random(count) < confidence), count) for _ in range(DRAWS)]
    bins = tuple(
        Bin(number / BINS, (number + 1) / BINS, int(size), float(sums[number] / size), float(hits[number] / size))
        for number, size in enumerate(sizes)
        if size
    )
    return Calibration(bins, _error(sums, hits, count), float(np.quantile(simulated, 0.95)), count)


def _sums(place: NDArray[np.int64], values: NDArray[np.float64] | NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the sum of the values in each bin."""
    return np.bincount(place, values.astype(np.float64), BINS).astype(np.float64)


def _error(sums: NDArray[np.float64], hits: NDArray[np.float64], count: int) -> float:
    return float(np.abs(sums - hits).sum()) / count
