"""The predictions of a run for one task, with the predicted probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.tasks.records import Floats, Label, read_records

HINT = "the folder was changed after the run: train again from its recipe.toml into another folder"


@dataclass(frozen=True)
class TaskPredictions:
    """The predictions of a run for n labelled examples of a task.

    `labels`: the classes, None for regression. `predictions`, `targets`: float64[n], class indices or values.
    `probabilities`: float64[n, classes], None for regression.
    """

    ids: tuple[str, ...]
    labels: tuple[Label, ...] | None
    predictions: Floats
    targets: Floats
    probabilities: Floats | None

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def correct(self) -> NDArray[np.bool_]:
        """Whether each predicted class is the true one: bool[n]."""
        correct: NDArray[np.bool_] = self.predictions == self.targets
        return correct

    @property
    def confidence(self) -> Floats:
        """The probability of each predicted class: float64[n].

        Raises:
            ValueError: the task is a regression.
        """
        if self.probabilities is None:
            raise ValueError("a regression has no probabilities")
        confidence: Floats = self.probabilities[np.arange(len(self)), self.predictions.astype(np.int64)]
        return confidence

    def take(self, rows: NDArray[np.int64]) -> TaskPredictions:
        """Return the examples with these indices, in the given order."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        ids = tuple(self.ids[row] for row in rows)
        return TaskPredictions(ids, self.labels, self.predictions[rows], self.targets[rows], probabilities)

    def shown(self, value: float) -> str:
        """Format a prediction or target: the label of a class, or the number."""
        return f"{value:.3g}" if self.labels is None else str(self.labels[int(value)])


def read_predictions(file: Path, labels: Sequence[Label] | None) -> TaskPredictions:
    """Read the records of a prediction file that have a target.

    Raises:
        RunError: the file is missing or damaged, or contains a label that the task does not have.
    """
    found = read_records(file, labels, probabilities=True, hint=HINT)
    kept = None if labels is None else tuple(labels)
    return TaskPredictions(tuple(found.ids), kept, found.predictions, found.targets, found.probabilities)
