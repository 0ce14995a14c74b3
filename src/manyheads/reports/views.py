"""What a report shows of the predictions of a task: the confusion matrix, the regression line and the calibration."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyheads.reports.keys import stored_as
from manyheads.reports.predictions import TaskPredictions
from manyheads.tasks.numbers import fixed

MOST = 12
"""Maximum number of labels in a figure. If a task has more, the rare ones are joined."""

OTHERS = "(others)"


@dataclass(frozen=True)
class Confusion:
    """A confusion matrix. `counts[t][p]`: number of examples with true label t and predicted label p.

    `labels`: in the order of the task, the joined ones last. `joined`: number of labels joined as the last one.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    joined: int = 0

    def shares(self) -> tuple[tuple[float, ...], ...]:
        """Return the counts divided by the sum of their row. A row without examples is 0."""
        return tuple(tuple(cell / max(1, sum(row)) for cell in row) for row in self.counts)


def confusion(predictions: TaskPredictions, most: int = MOST) -> Confusion | None:
    """Compute the confusion matrix with at most `most` labels. None for a kind without this view."""
    if "confusion" not in predictions.kind.views:
        return None
    targets, predicted = predictions.targets.astype(np.int64), predictions.predictions.astype(np.int64)
    names = list(predictions.kind.probability_names)
    if (targets >= len(names)).any():
        names.append(predictions.kind.show(float(len(names))))
    total = len(names)
    place = np.arange(total)
    if total > most:
        frequent = np.argsort(-np.bincount(targets, minlength=total), kind="stable")[: most - 1]
        kept = np.sort(frequent)
        place = np.full(total, most - 1)
        place[kept] = np.arange(most - 1)
        names = [*(names[label] for label in kept), OTHERS]
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (place[targets], place[predicted]), 1)
    rows = tuple(tuple(int(cell) for cell in row) for row in counts)
    return Confusion(tuple(names), rows, total - most + 1 if total > most else 0)


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
