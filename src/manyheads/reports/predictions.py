"""The predictions of a run for one task, with the predicted probabilities."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.interval import Measured, measured
from manyheads.evaluation.metrics.resolve import Chosen
from manyheads.ragged import Rows, Stack, stack
from manyheads.run.evaluations import Evaluations
from manyheads.tasks.kind import Floats, Kind, Predictions, Target
from manyheads.tasks.records import read_records

HINT = "the folder was changed after the run: train again from its recipe.toml into another folder"


@dataclass(frozen=True)
class TaskPredictions:
    """The predictions of a run for n labelled examples of a task.

    `predictions`, `targets`: float64[n, ...], such as class indices or values, or ragged. `probabilities`:
    float64[n, classes] or ragged, None for a kind without. `clusters`: int64[n], equal for examples that share a
    text; None if the run does not have them.
    """

    ids: tuple[str, ...]
    kind: Kind
    predictions: Rows
    targets: Rows
    probabilities: Rows | None
    clusters: NDArray[np.int64] | None = None

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
            ValueError: the task has no probabilities.
        """
        if self.probabilities is None:
            raise ValueError("the task has no probabilities")
        confidence: Floats = self.probabilities[np.arange(len(self)), self.predictions.astype(np.int64)]
        return confidence

    @property
    def cluster_count(self) -> int | None:
        """The number of clusters if some have several examples, else None."""
        count = 0 if self.clusters is None else len(np.unique(self.clusters))
        return count if 0 < count < len(self) else None

    def take(self, rows: NDArray[np.int64]) -> TaskPredictions:
        """Return the examples with these indices, in the given order."""
        probabilities = None if self.probabilities is None else self.probabilities[rows]
        ids = tuple(self.ids[row] for row in rows)
        clusters = None if self.clusters is None else self.clusters[rows]
        return TaskPredictions(ids, self.kind, self.predictions[rows], self.targets[rows], probabilities, clusters)

    def measured(self, metric: str | Chosen) -> Measured:
        """Return a metric of the examples with its interval."""
        return measured(metric, self.predictions, self.targets, self.clusters, self.probabilities)

    @property
    def decoded(self) -> Predictions:
        """The predictions without their ids and targets."""
        return Predictions(self.predictions, self.probabilities)

    @property
    def errors(self) -> Floats:
        """The size of the error of each prediction, 0 if it is correct: float64[n]."""
        return self.kind.errors(self.decoded, self.targets)

    def shown(self, target: Target) -> str:
        """Format a prediction or target, for example the label of a class."""
        return self.kind.show(target)


def read_predictions(file: Path, kind: Kind, evaluations: Evaluations | None = None) -> TaskPredictions:
    """Read the records of a prediction file that have a target. Clusters are those of `evaluations`, if given.

    Raises:
        RunError: the file is missing or damaged, or contains a label that the task does not have.
    """
    found = read_records(file, kind, probabilities=True, hint=HINT)
    ids = tuple(found.ids)
    clusters = None if evaluations is None else evaluations.clusters_of(ids)
    return TaskPredictions(ids, kind, found.predictions, found.targets, found.probabilities, clusters)


def stacked(runs: Sequence[TaskPredictions]) -> Stack | None:
    """Return the probabilities of several runs for the same examples: float64[R, n, classes]. None if one has none."""
    known = [each.probabilities for each in runs if each.probabilities is not None]
    return stack(known) if len(known) == len(runs) else None
