"""Predictions as records for people and programs: JSON lines, and the reference course's two-column form."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import DataError
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.task import Task

DIGITS = 7
"""Decimal places of probabilities and values in records: what float32 carries."""


def records(
    kind: Kind, ids: Sequence[str], predictions: Predictions, targets: NDArray[np.floating] | None = None
) -> Iterator[dict[str, object]]:
    """One record an example: `id`, `prediction`, `probabilities` (a number a label) or `value`, `target` if known."""
    for row, example in enumerate(ids):
        record: dict[str, object] = {"id": example, **record_of(kind, predictions, row)}
        if targets is not None:
            target = float(targets[row])
            record["target"] = None if math.isnan(target) else kind.present(_tidy(target))
        yield record


def record_of(kind: Kind, predictions: Predictions, row: int) -> dict[str, object]:
    """The prediction of one row: `prediction`, with `probabilities` for classes and `value` for values."""
    value = float(predictions.values[row])
    if predictions.probabilities is None or kind.labels is None:
        return {"prediction": round(value, DIGITS), "value": round(value, DIGITS)}
    chances = (round(float(chance), DIGITS) for chance in predictions.probabilities[row])
    return {
        "prediction": kind.present(value),
        "probabilities": {str(label): chance for label, chance in zip(kind.labels, chances, strict=True)},
    }


def json_lines(found: Iterable[dict[str, object]]) -> Iterator[str]:
    """Each record as one line of JSON, with its line end."""
    for record in found:
        yield json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def course_header(task: Task) -> str:
    """The first line of a course file: its column is named by what is predicted, as the course spells it."""
    labels = task.kind.labels
    if labels is None:
        return "id \t Predicted_Similiary \n"
    return "id \t Predicted_Is_Paraphrase \n" if len(labels) == 2 else "id \t Predicted_Sentiment \n"


def course_lines(task: Task, found: Iterable[dict[str, object]]) -> Iterator[str]:
    """Each record as the course's `{id} , {prediction} ` with the id in lower case.

    Classes are numbers there: an integer among several classes, 0.0 or 1.0 among two.

    Raises:
        DataError: the task's labels are names, which that form has no place for.
    """
    labels = task.kind.labels
    for record in found:
        prediction = record["prediction"]
        if labels is not None and not isinstance(prediction, int | float):
            raise DataError(
                "the course's form has numeric labels only",
                where=f"task {task.name}",
                found=prediction,
                hint="use --format jsonl",
            )
        if labels is not None and isinstance(prediction, int | float):
            prediction = float(prediction) if len(labels) == 2 else int(prediction)
        yield f"{str(record['id']).lower()} , {prediction} \n"


def _tidy(target: float) -> float:
    """A float32 target as the decimal it was read from (2.4, not 2.4000000953674316)."""
    return round(target, DIGITS - 1)
