"""What a report shows of the predictions of a task.

The confusion matrix, the regression line and the calibration; groups of examples, by label or value and by text
length, with their metrics; and the largest errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from manyheads.evaluation.interval import Measured, mean, share
from manyheads.evaluation.metrics.resolve import Chosen
from manyheads.reports.keys import stored_as
from manyheads.reports.predictions import TaskPredictions
from manyheads.tasks.kind import Floats
from manyheads.tasks.rankings import first_ranks, margins_of
from manyheads.tasks.tags import TagSpans, tag_spans
from manyheads.tasks.written import fixed

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


BANDS = 5
"""Number of equal parts of a range of values."""

QUARTERS = (0.25, 0.5, 0.75)

RANKS = 4
"""Ranks of the right candidate that are listed one by one."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """A group of examples: its name, size and metrics."""

    name: str
    count: int
    figures: tuple[Measured, ...]


def by_label(predictions: TaskPredictions, errors: Sequence[Chosen]) -> tuple[Group, ...]:
    """Return the groups that the views of the kind name, in order. `errors`: the metrics that measure errors."""
    views = [view for view in predictions.kind.views if view in GROUPS]
    return tuple(group for view in views for group in GROUPS[view](predictions, errors))


def by_class(predictions: TaskPredictions, errors: Sequence[Chosen]) -> tuple[Group, ...]:
    """Return recall, precision and F1 of each class."""
    del errors
    return tuple(_of_class(predictions, code) for code in range(len(predictions.kind.probability_names)))


def by_band(predictions: TaskPredictions, errors: Sequence[Chosen]) -> tuple[Group, ...]:
    """Return the errors in each fifth of the range."""
    low, high = predictions.kind.scale
    edges = np.linspace(low, high, BANDS + 1)
    place = np.clip(np.searchsorted(edges, predictions.targets, side="right") - 1, 0, BANDS - 1)
    groups = []
    for band in range(BANDS):
        inside = predictions.take(np.flatnonzero(place == band))
        name = f"{edges[band]:.3g} to {edges[band + 1]:.3g}"
        differences = inside.predictions - inside.targets
        figures = (mean("mean error", differences), *(inside.measured(each) for each in errors))
        groups.append(Group(name, len(inside), figures))
    return tuple(groups)


def by_each_label(predictions: TaskPredictions, errors: Sequence[Chosen]) -> tuple[Group, ...]:
    """Return recall, precision and F1 of each of several labels of an example."""
    del errors
    given, true = predictions.predictions > 0, predictions.targets > 0
    names = predictions.kind.probability_names
    return tuple(_of_rows(name, true[:, code], given[:, code]) for code, name in enumerate(names))


def by_span(predictions: TaskPredictions, errors: Sequence[Chosen]) -> tuple[Group, ...]:
    """Return recall, precision and F1 of each type of span. A span counts if its words and its type are correct."""
    del errors
    table = predictions.kind.span_table
    if table is None:
        return ()
    given, true = (tag_spans(each, table) for each in (predictions.predictions, predictions.targets))
    hits = given.among(true)
    return tuple(
        _of_counts(name, int(hits[given.types == place].sum()), _count(true, place), _count(given, place))
        for place, name in enumerate(table.names)
    )


def by_tag(predictions: TaskPredictions, errors: Sequence[Chosen]) -> tuple[Group, ...]:
    """Return recall, precision and F1 of each tag over all words."""
    del errors
    given, true = predictions.predictions.values, predictions.targets.values
    names = predictions.kind.counts(predictions.targets)
    return tuple(_of_rows(str(name), true == code, given == code) for code, name in enumerate(names))


def by_rank(predictions: TaskPredictions, errors: Sequence[Chosen]) -> tuple[Group, ...]:
    """Return how many rows have the first right candidate at each rank, and the accuracy by margin and by candidates.

    The margin is by how much the chosen candidate is more probable than the next one.
    """
    del errors
    total, correct = len(predictions), predictions.correct
    ranks = first_ranks(predictions.predictions, predictions.targets)

    def accuracy(name: str, rows: NDArray[np.bool_]) -> Group:
        count = int(rows.sum())
        return Group(name, count, (share("accuracy", int(correct[rows].sum()), count),))

    def at(name: str, rows: NDArray[np.bool_]) -> Group:
        count = int(rows.sum())
        return Group(name, count, (share("share of the rows", count, total),))

    groups = [at(f"right candidate at rank {rank}", ranks == rank) for rank in range(1, RANKS + 1)]
    groups.append(at(f"right candidate after rank {RANKS}", ranks > RANKS))
    if predictions.probabilities is not None:
        margins = margins_of(predictions.probabilities)
        bounds = np.unique(np.quantile(margins, (0.0, *QUARTERS, 1.0))) if total else np.zeros(0)
        for low, high in pairwise(bounds):
            last = high == bounds[-1]
            rows = (margins >= low) & ((margins <= high) if last else (margins < high))
            groups.append(accuracy(f"margin {low:.2f} to {high:.2f}", rows))
    counts = predictions.targets.lengths
    sizes = np.unique(counts)
    if 1 < len(sizes) <= BANDS:
        groups += [accuracy(f"{size} candidates", counts == size) for size in sizes.tolist()]
    return tuple(group for group in groups if group.count)


def _count(spans: TagSpans, kind: int) -> int:
    return int((spans.types == kind).sum())


GROUPS: dict[str, Callable[[TaskPredictions, Sequence[Chosen]], tuple[Group, ...]]] = {
    "classes": by_class,
    "bands": by_band,
    "labels": by_each_label,
    "spans": by_span,
    "tags": by_tag,
    "ranking": by_rank,
}


def by_length(
    predictions: TaskPredictions, texts: Sequence[Sequence[str]], metric: Chosen, errors: Sequence[Chosen]
) -> tuple[Group, ...]:
    """Return the metric and the errors in each quartile of the number of words. Both texts of a pair are counted.

    `texts`: one list of n texts per column. There are fewer groups if many examples have the same length.
    """
    words = np.array([sum(len(text.split()) for text in row) for row in zip(*texts, strict=True)])
    if not len(words):
        return ()
    edges = np.unique(np.quantile(words, QUARTERS, method="inverted_cdf"))
    place = np.searchsorted(edges, words, side="left")
    metrics = [metric, *(each for each in errors if each.name != metric.name)]
    groups = []
    for number in np.unique(place):
        rows = np.flatnonzero(place == number)
        inside, span = predictions.take(rows), words[rows]
        figures = tuple(inside.measured(each) for each in metrics)
        groups.append(Group(_span(int(span.min()), int(span.max())), len(rows), figures))
    return tuple(groups)


def _of_class(predictions: TaskPredictions, code: int) -> Group:
    return _of_rows(predictions.shown(code), predictions.targets == code, predictions.predictions == code)


def _of_rows(name: str, true: NDArray[np.bool_], given: NDArray[np.bool_]) -> Group:
    return _of_counts(name, int((true & given).sum()), int(true.sum()), int(given.sum()))


def _of_counts(name: str, hits: int, true: int, given: int) -> Group:
    both = true + given
    score = Measured("f1", 2 * hits / both if both else None, None, None, true)
    return Group(name, true, (share("recall", hits, true), share("precision", hits, given), score))


def _span(low: int, high: int) -> str:
    plural = "" if high == 1 else "s"
    return f"{low} word{plural}" if low == high else f"{low} to {high} word{plural}"


SHOWN = 10


@dataclass(frozen=True)
class Mistake:
    """One wrong prediction.

    `probability`: of the predicted label. `true_probability`: of the true label. Both are None for a kind without.
    """

    id: str
    texts: tuple[str, ...]
    target: str
    prediction: str
    probability: float | None = field(metadata=stored_as("chance"))
    true_probability: float | None = field(metadata=stored_as("true_chance"))


def mistakes(
    predictions: TaskPredictions, texts: Sequence[Sequence[str]] | None, shown: int = SHOWN
) -> tuple[Mistake, ...]:
    """Return the wrong predictions with the highest confidence, or the values with the largest errors.

    Ties keep the order of the file. `texts`: one list of n texts per column, None if the texts are not available.
    """
    errors = predictions.errors
    rows = np.argsort(-errors, kind="stable")[:shown]
    true = predictions.kind.true_probabilities(predictions.decoded, predictions.targets)
    return tuple(_mistake(predictions, texts, int(row), true) for row in rows[errors[rows] > 0])


def _mistake(
    predictions: TaskPredictions, texts: Sequence[Sequence[str]] | None, row: int, true: Floats | None
) -> Mistake:
    probability = true_probability = None
    if true is not None:
        probability = float(predictions.confidence[row])
        true_probability = float(true[row])
    return Mistake(
        id=predictions.ids[row],
        texts=() if texts is None else tuple(column[row] for column in texts),
        target=predictions.shown(predictions.targets[row]),
        prediction=predictions.shown(predictions.predictions[row]),
        probability=probability,
        true_probability=true_probability,
    )
