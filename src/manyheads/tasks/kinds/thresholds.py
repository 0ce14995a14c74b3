"""Thresholds of independent labels: their faults, and the search for the best F1."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from manyheads.tasks.kind import Floats, KeyFault
from manyheads.tasks.labels import Label

HALF = 0.5

SEARCH = "search"
"""The value of `threshold` that asks for a search."""


def search(probabilities: Floats, targets: Floats) -> Floats:
    """Return the threshold of each label with the best F1 on some rows: float64[labels].

    A label is predicted above its threshold. All thresholds are tried at which the predictions differ: those in the
    middle between two neighbouring probabilities, and half of the lowest one. Of equally good ones, the nearest to 0.5
    is taken. A label that no row has gets 0.5. Source: the SCut thresholds of Yang (2001), "A Study of Thresholding
    Strategies for Text Categorization", with F1 as the measure.

    Args:
        probabilities: float64[n, labels].
        targets: float64[n, labels], 1 for a label and 0 for its absence.
    """
    pairs = zip(probabilities.T, targets.T, strict=True)
    return np.array([_best(column, has > 0) if (has > 0).any() else HALF for column, has in pairs])


def _best(probabilities: Floats, has: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order]
    # With cut k, the first k rows are predicted. It exists where the next probability is lower.
    cuts = np.append(np.flatnonzero(falling[1:] < falling[:-1]) + 1, len(falling))
    f1 = 2 * np.cumsum(has[order])[cuts - 1] / (cuts + np.count_nonzero(has))
    upper, lower = falling[cuts - 1], np.append(falling, 0.0)[cuts]
    between = np.minimum(lower + (upper - lower) / 2, np.nextafter(upper, 0.0))
    best = between[f1 >= f1.max() * (1 - 1e-12)]
    found = float(best[np.argmin(np.abs(best - HALF))])
    return min(max(found, np.finfo(np.float64).tiny), 1 - np.finfo(np.float64).epsneg)


def threshold_fault(threshold: float | Sequence[float] | str | None, labels: Sequence[Label] | None) -> KeyFault | None:
    """Return what is wrong with a threshold, or with one threshold per label."""
    if threshold is None or isinstance(threshold, str):
        known = threshold in (None, SEARCH)
        return None if known else KeyFault("threshold", "unknown threshold", threshold, f"a number or {SEARCH!r}")
    several = None if isinstance(threshold, float | int) else list(threshold)
    if not all(0 < each < 1 for each in ([threshold] if isinstance(threshold, float | int) else threshold)):
        return KeyFault("threshold", "a threshold must be between 0 and 1", threshold)
    if several is not None and labels is None:
        what = "a threshold per label requires labels, to assign the thresholds to"
        return KeyFault("threshold", what, threshold, hint="add labels = [...]")
    if several is not None and labels is not None and len(several) != len(labels):
        what = "the number of thresholds differs from the number of labels"
        return KeyFault("threshold", what, len(several), str(len(labels)))
    return None
