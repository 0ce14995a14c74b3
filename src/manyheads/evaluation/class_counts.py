"""Counts of predicted and true classes, and the metrics that depend on the counts alone: F1, recall, Matthews' r.

The effect of deleting one example is computed from the counts, too, so it is exact and needs no loop over examples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ClassCounts:
    """The counts of n examples with K classes. The classes are those that occur in predictions or targets.

    `predicted`, `true`: int64[n], the place of each example's class. `given[k]`, `occurring[k]`, `hits[k]`:
    float64[K], the number of examples that are predicted as class k, that have it as target, and both. `classes`:
    float64[K], the classes in ascending order.
    """

    predicted: NDArray[np.int64]
    true: NDArray[np.int64]
    given: Floats
    occurring: Floats
    hits: Floats
    classes: Floats

    @classmethod
    def of(cls, predictions: Floats, targets: Floats) -> ClassCounts:
        """Count the classes of n examples. `predictions`, `targets`: float64[n], class indices."""
        count = len(targets)
        classes, places = np.unique(np.concatenate([predictions, targets]), return_inverse=True)
        predicted, true = places[:count], places[count:]
        given, occurring, hits = (
            np.bincount(each, minlength=len(classes)).astype(np.float64)
            for each in (predicted, true, true[predicted == true])
        )
        return cls(predicted, true, given, occurring, hits, classes)

    def macro_f1(self) -> float:
        """Return the mean of F1 over the classes that occur in the targets. There must be at least one example."""
        return float(self._f1()[self.occurring > 0].mean())

    def macro_f1_without(self) -> Floats:
        """Return the macro-F1 without each example: float64[n]. It is 0 if no example is left.

        A class whose only target is deleted no longer counts.
        """
        stays = self.occurring[self.true] > 1
        return _ratio(self._sum_of_f1_without(self.occurring > 0), (self.occurring > 0).sum() - ~stays)

    def mean_f1(self, classes: Sequence[int]) -> float:
        """Return the mean of F1 over some classes. A class without targets counts 0."""
        return float(self._f1()[self._are(classes)].sum()) / len(classes)

    def mean_f1_without(self, classes: Sequence[int]) -> Floats:
        """Return the mean of F1 over some classes without each example: float64[n].

        It is 0 where the only target of a class is deleted, because the mean is then undefined.
        """
        chosen = self._are(classes)
        lost = chosen[self.true] & (self.occurring[self.true] == 1)
        return np.where(lost, 0.0, self._sum_of_f1_without(chosen) / len(classes))

    def _are(self, classes: Sequence[int]) -> NDArray[np.bool_]:
        return np.isin(self.classes, classes)

    def _sum_of_f1_without(self, chosen: NDArray[np.bool_]) -> Floats:
        """Return the sum of F1 over some classes without each example: float64[n]. `chosen`: bool[K]."""
        f1 = np.where(chosen, self._f1(), 0.0)
        right = self.predicted == self.true
        own, other = self.true, self.predicted
        stays = (self.occurring[own] > 1) & chosen[own]
        changed = _ratio(2 * (self.hits[own] - right), self.given[own] + self.occurring[own] - 1 - right)
        total: Floats = f1.sum() - f1[own] + np.where(stays, changed, 0.0)
        # A wrong prediction also counts in the class that it names.
        elsewhere = ~right & chosen[other]
        fewer = _ratio(2 * self.hits[other], self.given[other] + self.occurring[other] - 1)
        total += np.where(elsewhere, fewer - f1[other], 0.0)
        return total

    def mean_recall(self) -> float:
        """Return the mean of recall over the classes that occur in the targets. There must be at least one example."""
        return float(_ratio(self.hits, self.occurring)[self.occurring > 0].mean())

    def mean_recall_without(self) -> Floats:
        """Return the mean recall without each example: float64[n]. It is 0 if no example is left.

        A class whose only target is deleted no longer counts.
        """
        recall, own = _ratio(self.hits, self.occurring), self.true
        changed = _ratio(self.hits[own] - (self.predicted == own), self.occurring[own] - 1)
        stays = self.occurring[own] > 1
        return _ratio(recall.sum() - recall[own] + changed, (self.occurring > 0).sum() - ~stays)

    def mcc(self) -> float:
        """Return Matthews' correlation, for more than two classes in the form of Gorodkin (2004). 0 if undefined."""
        count = float(len(self.true))
        return float(_correlation(count, *(np.array([each]) for each in self._sums()))[0])

    def mcc_without(self) -> Floats:
        """Return Matthews' correlation without each example: float64[n]. It is 0 where it is undefined."""
        hits, mixed, given, occurring = self._sums()
        right = (self.predicted == self.true).astype(np.float64)
        return _correlation(
            float(len(self.true) - 1),
            hits - right,
            mixed - self.occurring[self.predicted] - self.given[self.true] + right,
            given - 2 * self.given[self.predicted] + 1,
            occurring - 2 * self.occurring[self.true] + 1,
        )

    def _f1(self) -> Floats:
        return _ratio(2 * self.hits, self.given + self.occurring)

    def _sums(self) -> tuple[float, float, float, float]:
        """The number of hits, and the sums of products and squares of both counts."""
        return (
            float(self.hits.sum()),
            float(self.given @ self.occurring),
            float(self.given @ self.given),
            float(self.occurring @ self.occurring),
        )


def rarest_class(targets: Floats) -> int:
    """Return the number of examples of the rarest class, or of the rarest label, that occurs. 1 if none does.

    `targets`: float64[n], class indices, or float64[n, labels], 0 or 1.
    """
    if targets.ndim > 1:
        counts = targets.sum(axis=0)
        return int(counts[counts > 0].min()) if counts.any() else 1
    return int(np.unique(targets, return_counts=True)[1].min())


def _ratio(hits: Floats, total: Floats | NDArray[np.int64]) -> Floats:
    """Return a ratio, 0 where the total is 0."""
    ratio: Floats = np.divide(hits, total, out=np.zeros(np.shape(hits)), where=np.asarray(total) > 0)
    return ratio


def _correlation(count: float, hits: Floats, mixed: Floats, given: Floats, occurring: Floats) -> Floats:
    spread = np.maximum(count**2 - given, 0) * np.maximum(count**2 - occurring, 0)
    correlation: Floats = np.divide(
        hits * count - mixed, np.sqrt(spread), out=np.zeros(np.shape(mixed)), where=spread > 0
    )
    return correlation
