"""Calibration: whether answers given a chance of 80% are right 80% of the time."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BINS = 10
DRAWS = 200
"""Simulated answers of a perfectly calibrated model, for the error that chance alone gives."""


@dataclass(frozen=True)
class Bin:
    """Answers whose confidence lies from `low` to `high`: how many, their mean confidence, the share that is right."""

    low: float
    high: float
    count: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Calibration:
    """The reliability diagram's bins that hold answers, and the expected calibration error.

    `chance`: the error below which 95% of perfectly calibrated models with the same confidences would stay; on few
    examples it is far from 0.
    """

    bins: tuple[Bin, ...]
    error: float
    chance: float
    count: int

    @property
    def lean(self) -> float:
        """Mean confidence less accuracy: above 0 the run is too sure of itself."""
        return sum(bin_.count * (bin_.confidence - bin_.accuracy) for bin_ in self.bins) / self.count


def calibrate(confidence: NDArray[np.float64], right: NDArray[np.bool_]) -> Calibration | None:
    """The calibration of n answers in ten bins of equal width (Naeini et al. 2015; Guo et al. 2017); None of none."""
    count = len(confidence)
    if not count:
        return None
    place = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    sizes = np.bincount(place, minlength=BINS)
    sure, hits = _sums(place, confidence), _sums(place, right)
    draws = np.random.default_rng(0)
    chance = [_error(sure, _sums(place, draws.random(count) < confidence), count) for _ in range(DRAWS)]
    bins = tuple(
        Bin(number / BINS, (number + 1) / BINS, int(size), float(sure[number] / size), float(hits[number] / size))
        for number, size in enumerate(sizes)
        if size
    )
    return Calibration(bins, _error(sure, hits, count), float(np.quantile(chance, 0.95)), count)


def _sums(place: NDArray[np.int64], values: NDArray[np.float64] | NDArray[np.bool_]) -> NDArray[np.float64]:
    """The sum of the values in each bin."""
    return np.bincount(place, values.astype(np.float64), BINS).astype(np.float64)


def _error(sure: NDArray[np.float64], hits: NDArray[np.float64], count: int) -> float:
    return float(np.abs(sure - hits).sum()) / count
