"""Metrics of groups of examples: by label or value, and by text length."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.interval import Measured, mean, share
from manyheads.evaluation.metrics.resolve import Chosen
from manyheads.report.predictions import TaskPredictions

BANDS = 5
"""Number of equal parts of a range of values."""

QUARTERS = (0.25, 0.5, 0.75)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """A group of examples: its name, size and metrics."""

    name: str
    count: int
    figures: tuple[Measured, ...]


def by_label(
    predictions: TaskPredictions, value_range: tuple[float, float] | None, errors: Sequence[Chosen]
) -> tuple[Group, ...]:
    """Return recall, precision and F1 of each class, or the errors in each fifth of the range of a regression.

    `errors`: the metrics that measure errors of values.
    """
    if predictions.labels is not None:
        return tuple(_of_class(predictions, code) for code in range(len(predictions.labels)))
    low, high = value_range or (0.0, 1.0)
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
    true, given = predictions.targets == code, predictions.predictions == code
    hits = int((true & given).sum())
    both = int(true.sum()) + int(given.sum())
    score = Measured("f1", 2 * hits / both if both else None, None, None, int(true.sum()))
    recall, precision = share("recall", hits, int(true.sum())), share("precision", hits, int(given.sum()))
    return Group(predictions.shown(code), int(true.sum()), (recall, precision, score))


def _span(low: int, high: int) -> str:
    unit = "word" if high == 1 else "words"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
