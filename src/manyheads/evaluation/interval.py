"""The metrics of one run with their 95% intervals, and their average over tasks.

The intervals cover sampling variance only: one run gives no seed variance.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from manyheads.evaluation.estimate import contrast, wilson, within_range
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import Chosen, record_of, resolve
from manyheads.evaluation.sample import Floats, Integers, Sample, sample
from manyheads.ragged import Rows, stack
from manyheads.tasks.kind import Kind, Predictions

ERROR = 0.05
"""1 - level of every interval."""


@dataclass(frozen=True)
class Measured:
    """A metric of `count` examples with its interval.

    `value` is None if the metric is undefined. `low` and `high` are None if they cannot be computed.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    count: int


def measured(
    metric: str | Chosen,
    predictions: Rows,
    targets: Rows,
    clusters: Integers | None = None,
    probabilities: Rows | None = None,
) -> Measured:
    """Compute a metric of the menu and its interval, as a study with one seed does.

    `predictions`, `targets`: float64[n, ...], or ragged. `clusters`: int64[n], the cluster of each example; None if
    examples are independent. `probabilities`: [n, classes], for metrics that need them. The standard error is that of
    the mean influence (Hampel 1974), and intervals stay within the range of the metric; see `estimate.contrast`. A
    metric without a highest value is normal on the logarithmic scale, and has no interval for a perfect fit.
    """
    chosen, count = resolve(metric), len(targets)
    shares = None if probabilities is None else stack([probabilities])
    one = sample(chosen, stack([predictions]), targets, probabilities=shares, clusters=clusters) if count else None
    if one is None:
        return Measured(chosen.name, None, None, None, count)
    value = float(one.values[0])
    # The interval of a share is exact also for one or two examples.
    if count < 3 and not one.step:
        return Measured(chosen.name, value, None, None, count)
    if not chosen.metric.bounded:
        return Measured(chosen.name, value, *_of_positive(value, one), count)
    if one.influence.shape[1] < 2:
        low, high = within_range(value, 0.0, [one], ERROR)
        return Measured(chosen.name, value, low, high, count)
    estimate = contrast([[one]], [1.0])
    return Measured(chosen.name, value, estimate.low, estimate.high, count)


@dataclass(frozen=True)
class RightRows:
    """Which labelled rows of a task are predicted right: `ids` of n rows, `right`, bool[n], and `clusters`, int64[n].

    `clusters` are None if they are not known.
    """

    ids: Sequence[str]
    right: NDArray[np.bool_]
    clusters: Integers | None = None


def right_rows(
    kind: Kind, ids: Sequence[str], predictions: Predictions, targets: Rows, clusters: Integers | None
) -> RightRows | None:
    """Return which of n labelled rows are predicted right. None for a kind whose predictions are only near or far."""
    right = kind.right(predictions, targets)
    return None if right is None else RightRows(ids, right, clusters)


def whole_rows(several: Mapping[str, RightRows | None]) -> Measured | None:
    """Return the share of rows on which the predictions of all tasks are right, of the rows with all their labels.

    Its name has the names of the tasks, joined by "+". Tasks without right predictions do not take part. For intent and
    slots it is the semantic frame accuracy of sentences (Goo et al. 2018). None with fewer than two tasks, without a
    row that has all labels, or if two rows of a task have one id, because rows are matched by their ids.
    """
    tasks = {name: each for name, each in several.items() if each is not None}
    if len(tasks) < 2:
        return None
    first, *others = tasks.values()
    ids, right, clusters = np.array(first.ids, dtype=np.str_), first.right, first.clusters
    if len(np.unique(ids)) < len(ids):
        return None
    for each in others:
        own = np.array(each.ids, dtype=np.str_)
        if len(np.unique(own)) < len(own):
            return None
        ids, kept, places = np.intersect1d(ids, own, assume_unique=True, return_indices=True)
        right = right[kept] & each.right[places]
        clusters = None if clusters is None else clusters[kept]
    if not len(ids):
        return None
    return measured(Chosen(METRICS["accuracy"], "+".join(tasks)), right.astype(np.float64), np.ones(len(ids)), clusters)


def share(name: str, hits: int, count: int) -> Measured:
    """Return the share `hits / count` with Wilson's score interval."""
    if count == 0:
        return Measured(name, None, None, None, 0)
    return Measured(name, hits / count, *wilson(hits / count, count, ERROR), count)


def mean(name: str, values: Floats) -> Measured:
    """Return a mean with Student's t interval."""
    count = len(values)
    if count < 2:
        return Measured(name, float(values[0]) if count else None, None, None, count)
    value, half = float(values.mean()), _quantile(count) * float(values.std(ddof=1)) / math.sqrt(count)
    return Measured(name, value, value - half, value + half, count)


def _of_positive(value: float, one: Sample) -> tuple[float | None, float | None]:
    """Return both bounds, from the delta method. The slope of the scale multiplies the error."""
    if value <= 0:
        return None, None
    units = one.influence.shape[1]
    if units < 2:
        return None, None
    half = _quantile(units) * float(np.std(one.influence, ddof=1)) / math.sqrt(units) / value
    return value * math.exp(-half), value * math.exp(half)


def _quantile(count: int) -> float:
    return float(special.stdtrit(count - 1, 0.975))


def average(primary: Mapping[str, tuple[str, float | None]]) -> float | None:
    """Return the plain mean of the scores. `primary` maps each task to (metric, score).

    None if one score is None or there are no tasks.
    """
    scores = [score for _, score in primary.values()]
    known = [score for score in scores if score is not None]
    return sum(known) / len(known) if known and len(known) == len(scores) else None


def course_average(primary: Mapping[str, tuple[str, float | None]]) -> float | None:
    """Return the mean in which a correlation r counts (r + 1) / 2, as on the course's leaderboard.

    None if one score is None or there are no tasks.
    """
    mapped = {
        task: (metric, (score + 1) / 2 if score is not None and rescaled_by_course(metric) else score)
        for task, (metric, score) in primary.items()
    }
    return average(mapped)


def rescaled_by_course(metric: str) -> bool:
    """Return whether the leaderboard of the reference course maps a metric to 0..1 by (r + 1) / 2."""
    record = record_of(metric)
    return record is not None and record.rescaled_by_course
