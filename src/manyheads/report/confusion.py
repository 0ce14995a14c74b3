"""The confusion matrix: which labels are taken for which."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from manyheads.report.answers import Answers

MOST = 12
"""Labels that a figure has room for; of more, the most frequent ones stand alone and the rest together."""

OTHERS = "(others)"


@dataclass(frozen=True)
class Confusion:
    """`counts[t][p]`: examples of true label t answered p. `labels`: in the task's order, rare ones joined at the end.

    `joined`: how many labels stand together under the last one.
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]
    joined: int = 0

    def shares(self) -> tuple[tuple[float, ...], ...]:
        """Each row over its sum: where the examples of a true label went; a row without examples is all 0."""
        return tuple(tuple(cell / max(1, sum(row)) for cell in row) for row in self.counts)


def confusion(answers: Answers, most: int = MOST) -> Confusion | None:
    """The matrix of classes, of `most` labels at most; None for values."""
    if answers.labels is None:
        return None
    targets, predictions = answers.targets.astype(np.int64), answers.predictions.astype(np.int64)
    total = len(answers.labels)
    place, names = np.arange(total), [str(label) for label in answers.labels]
    if total > most:
        frequent = np.argsort(-np.bincount(targets, minlength=total), kind="stable")[: most - 1]
        kept = np.sort(frequent)
        place = np.full(total, most - 1)
        place[kept] = np.arange(most - 1)
        names = [*(names[label] for label in kept), OTHERS]
    counts = np.zeros((len(names), len(names)), dtype=np.int64)
    np.add.at(counts, (place[targets], place[predictions]), 1)
    rows = tuple(tuple(int(cell) for cell in row) for row in counts)
    return Confusion(tuple(names), rows, total - most + 1 if total > most else 0)
