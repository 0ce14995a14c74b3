"""The largest errors of a run: confident wrong predictions, or values far from the true ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from manyheads.reports.keys import stored_as
from manyheads.reports.predictions import TaskPredictions
from manyheads.tasks.kind import Floats

SHOWN = 10


@dataclass(frozen=True)
class Mistake:
    """One wrong prediction.

    `probability`: of the predicted label. `true_probability`: of the true label. Both are None for a kind without.
    """

    id: str
    texts: tuple[str, ...]
    target: str
    prediction: str
    probability: float | None = field(metadata=stored_as("chance"))
    true_probability: float | None = field(metadata=stored_as("true_chance"))


def mistakes(
    predictions: TaskPredictions, texts: Sequence[Sequence[str]] | None, shown: int = SHOWN
) -> tuple[Mistake, ...]:
    """Return the wrong predictions with the highest confidence, or the values with the largest errors.

    Ties keep the order of the file. `texts`: one list of n texts per column, None if the texts are not available.
    """
    errors = predictions.errors
    rows = np.argsort(-errors, kind="stable")[:shown]
    true = predictions.kind.true_probabilities(predictions.decoded, predictions.targets)
    return tuple(_mistake(predictions, texts, int(row), true) for row in rows[errors[rows] > 0])


def _mistake(
    predictions: TaskPredictions, texts: Sequence[Sequence[str]] | None, row: int, true: Floats | None
) -> Mistake:
    probability = true_probability = None
    if true is not None:
        probability = float(predictions.confidence[row])
        true_probability = float(true[row])
    return Mistake(
        id=predictions.ids[row],
        texts=() if texts is None else tuple(column[row] for column in texts),
        target=predictions.shown(predictions.targets[row]),
        prediction=predictions.shown(predictions.predictions[row]),
        probability=probability,
        true_probability=true_probability,
    )
