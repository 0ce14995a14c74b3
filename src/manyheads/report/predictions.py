"""The predictions of a run for one task, with the predicted probabilities."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import RunError

Label = str | int | float | bool
Floats = NDArray[np.float64]

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
    if not file.exists():
        raise RunError("the predictions of a run are missing", where=str(file), hint=HINT)
    try:
        records = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        return _from_records([record for record in records if record.get("target") is not None], labels)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RunError("a prediction file is damaged", where=str(file), found=str(error), hint=HINT) from None


def _from_records(records: Sequence[Mapping[str, Any]], labels: Sequence[Label] | None) -> TaskPredictions:
    ids = tuple(str(record["id"]) for record in records)
    if labels is None:
        return TaskPredictions(ids, None, _column(records, "prediction"), _column(records, "target"), None)
    codes = {label: float(code) for code, label in enumerate(labels)}
    probabilities = [[float(record["probabilities"][str(label)]) for label in labels] for record in records]
    return TaskPredictions(
        ids,
        tuple(labels),
        np.array([codes[record["prediction"]] for record in records], dtype=np.float64),
        np.array([codes[record["target"]] for record in records], dtype=np.float64),
        np.array(probabilities, dtype=np.float64).reshape(len(records), len(labels)),
    )


def _column(records: Sequence[Mapping[str, Any]], name: str) -> Floats:
    numbers = np.array([float(record[name]) for record in records], dtype=np.float64)
    if not np.isfinite(numbers).all():
        raise ValueError(f"a {name} is not a finite number")
    return numbers
