"""The confusion matrix."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manyheads.reports.predictions import TaskPredictions

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
