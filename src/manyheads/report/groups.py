"""Results by label and by length: where a run is strong, where it is weak, and on how many examples that stands."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.interval import Measured, mean, measured, share
from manyheads.report.answers import Answers

BANDS = 5
"""Parts of a range of values."""

QUARTERS = (0.25, 0.5, 0.75)

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Group:
    """Some of the examples: what they have in common, how many they are, and their figures."""

    name: str
    count: int
    figures: tuple[Measured, ...]


def by_label(answers: Answers, value_range: tuple[float, float] | None) -> tuple[Group, ...]:
    """Recall, precision and F1 of each class; or the errors in each fifth of the range."""
    if answers.labels is not None:
        return tuple(_of_class(answers, code) for code in range(len(answers.labels)))
    low, high = value_range or (0.0, 1.0)
    edges = np.linspace(low, high, BANDS + 1)
    place = np.clip(np.searchsorted(edges, answers.targets, side="right") - 1, 0, BANDS - 1)
    found = []
    for band in range(BANDS):
        inside = answers.take(np.flatnonzero(place == band))
        name = f"{edges[band]:.3g} to {edges[band + 1]:.3g}"
        errors = inside.predictions - inside.targets
        figures = (mean("mean error", errors), measured("rmse", inside.predictions, inside.targets))
        found.append(Group(name, len(inside), figures))
    return tuple(found)


def by_length(answers: Answers, texts: Sequence[Sequence[str]], metric: str) -> tuple[Group, ...]:
    """The metric in each quarter of the examples, ordered by their words; both texts of a pair count.

    `texts`: one list of n texts a column. Fewer groups where many examples are of one length.
    """
    words = np.array([sum(len(text.split()) for text in row) for row in zip(*texts, strict=True)])
    if not len(words):
        return ()
    edges = np.unique(np.quantile(words, QUARTERS, method="inverted_cdf"))
    place = np.searchsorted(edges, words, side="left")
    metrics = [metric] if answers.labels is not None else [metric, *(["rmse"] if metric != "rmse" else [])]
    found = []
    for number in np.unique(place):
        rows = np.flatnonzero(place == number)
        inside, span = answers.take(rows), words[rows]
        figures = tuple(measured(each, inside.predictions, inside.targets) for each in metrics)
        found.append(Group(_span(int(span.min()), int(span.max())), len(rows), figures))
    return tuple(found)


def _of_class(answers: Answers, code: int) -> Group:
    true, given = answers.targets == code, answers.predictions == code
    hits = int((true & given).sum())
    both = int(true.sum()) + int(given.sum())
    score = Measured("f1", 2 * hits / both if both else None, None, None, int(true.sum()))
    recall, precision = share("recall", hits, int(true.sum())), share("precision", hits, int(given.sum()))
    return Group(answers.shown(code), int(true.sum()), (recall, precision, score))


def _span(low: int, high: int) -> str:
    unit = "word" if high == 1 else "words"
    return f"{low} {unit}" if low == high else f"{low} to {high} {unit}"
