"""The predictions of a run for one task: read, verified against results.json, and with their texts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.data.examples import Examples
from manyheads.errors import ManyheadsError, RunError
from manyheads.evaluation.interval import Measured, measured
from manyheads.evaluation.metrics.resolve import Chosen, metrics_of
from manyheads.ragged import Rows, Stack, stack
from manyheads.recipe.prepare import read_tasks
from manyheads.recipe.schema import Recipe
from manyheads.run.evaluations import Evaluations
from manyheads.run.folder import RunFolder
from manyheads.tasks.kind import Floats, Kind, Predictions, Target
from manyheads.tasks.records import read_records
from manyheads.tasks.task import Task

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
        """Whether each prediction is right as a whole: bool[n].

        Raises:
            ValueError: the predictions of the task are only near or far.
        """
        correct = self.kind.right(self.decoded, self.targets)
        if correct is None:
            raise ValueError("the task has no right predictions")
        return correct

    @property
    def confidence(self) -> Floats:
        """The probability of each prediction: float64[n].

        Raises:
            ValueError: the task has no probabilities.
        """
        confidence = self.kind.confidences(self.decoded)
        if confidence is None:
            raise ValueError("the task has no probabilities")
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


AGREEMENT = 1e-4
"""Tolerance between a metric of the prediction files and results.json. Predictions of 0.4.0 have seven decimals."""


def check_agreement(
    folder: RunFolder, entry: Mapping[str, Any], task: Task, predictions: TaskPredictions, which: str
) -> None:
    """Check the dev predictions of a task against an evaluation in results.json.

    Every metric that the evaluation has must agree, each predicted class must have the highest probability, and the
    probabilities of an example must sum to one.

    Raises:
        RunError: A file was changed after the run.
    """
    file = folder.prediction_file(task.name, "dev", which)
    if "reliability" in predictions.kind.views and predictions.probabilities is not None and len(predictions):
        sums = np.abs(predictions.probabilities.sum(axis=1) - 1)
        wrong = np.flatnonzero(~predictions.kind.follows(predictions.decoded) | (sums > AGREEMENT))
        if len(wrong):
            found = f"example {predictions.ids[wrong[0]]}: a prediction that its probabilities do not give"
            raise RunError("a prediction file is damaged", where=str(file), found=found, hint=HINT)
    folder.reported(entry, task.name, task.metric)
    kept = Predictions(predictions.predictions, predictions.probabilities)
    for metric in metrics_of(task):
        if metric.name not in entry["tasks"][task.name]:
            continue
        reported = folder.reported(entry, task.name, metric.name)
        computed = metric.value(kept, predictions.targets) if len(predictions) else None
        if not same_value(computed, reported) and not _earlier(metric, predictions, reported):
            raise RunError(
                f"the predictions of {task.name} do not give the metric in results.json",
                where=str(file),
                found=f"{metric.name}: {computed} from the predictions, {reported} in results.json",
                hint=HINT,
            )


def _earlier(metric: Chosen, predictions: TaskPredictions, reported: float | None) -> bool:
    """Return whether a metric in results.json is that of versions up to 0.4.0, which defined it differently."""
    if metric.metric.earlier is None:
        return False
    return same_value(metric.earlier(Predictions(predictions.predictions, None), predictions.targets), reported)


def same_value(one: float | None, other: float | None) -> bool:
    """Return whether two values of a metric agree. An undefined one agrees only with an undefined one."""
    if one is None or other is None:
        return one is other
    return abs(one - other) <= AGREEMENT * max(1.0, abs(other))


@dataclass(frozen=True)
class Texts:
    """The dev and training examples of a task. `missing`: why they are not available."""

    dev: Examples | None
    train: Examples | None
    missing: str | None


def find_texts(recipe: Recipe, task: str, ids: tuple[str, ...], fingerprints: Mapping[str, str]) -> Texts:
    """Read the dev examples, which must have these ids in this order, and the training examples of a task.

    `fingerprints`: SHA-256 of the files that the run read, by their names in the recipe.
    """
    options = recipe.tasks[task].model_copy(update={"test": None})
    # Other tasks that read the file take part in the choice of its held-out and usable rows.
    others = {name: each for name, each in recipe.readers.items() if name != task and each.train == options.train}
    alone = recipe.model_copy(update={"tasks": {task: options}, "held_out_with": others or None})
    try:
        (data,) = read_tasks(alone, _ignore)
    except (ManyheadsError, OSError) as error:
        return Texts(None, None, _reason(error))
    changed = [name for name, value in data.fingerprints.items() if fingerprints.get(name, value) != value]
    if changed:
        return Texts(None, None, f"the file {changed[0]} has changed since the run")
    if tuple(data.dev.ids) != ids:
        return Texts(None, None, "the dev files contain other examples than the predictions of the run")
    return Texts(data.dev, data.train, None)


def _reason(error: Exception) -> str:
    if isinstance(error, ManyheadsError):
        return error.what if error.where is None else f"{error.what} ({error.where})"
    return str(error)


def _ignore(event: str, **fields: object) -> None:
    """Ignore the event. The run has already reported it."""
