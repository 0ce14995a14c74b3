"""Predictions as records: JSON lines, and the two-column format of the reference course."""

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
"""Decimal places of probabilities and values in records: the precision of float32."""


def records(
    kind: Kind, ids: Sequence[str], predictions: Predictions, targets: NDArray[np.floating] | None = None
) -> Iterator[dict[str, object]]:
    """Yield one record per example.

    Its keys are `id`, `prediction`, `probabilities` (label to probability) or `value`, and `target` if `targets` are
    given. A target of NaN is None.
    """
    for row, example in enumerate(ids):
        record: dict[str, object] = {"id": example, **record_of(kind, predictions, row)}
        if targets is not None:
            target = float(targets[row])
            record["target"] = None if math.isnan(target) else kind.present(_as_written(target))
        yield record


def record_of(kind: Kind, predictions: Predictions, row: int) -> dict[str, object]:
    """Return the prediction of one row: `prediction`, and `probabilities` for classes or `value` for values."""
    value = float(predictions.values[row])
    if predictions.probabilities is None or kind.labels is None:
        return {"prediction": round(value, DIGITS), "value": round(value, DIGITS)}
    probabilities = [round(float(probability), DIGITS) for probability in predictions.probabilities[row]]
    return {
        "prediction": kind.present(value),
        "probabilities": dict(zip(map(str, kind.labels), probabilities, strict=True)),
    }


def json_lines(items: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield each record as one line of JSON, with its line end."""
    for record in items:
        yield json.dumps(record, ensure_ascii=False, allow_nan=False) + "\n"


def course_header(task: Task) -> str:
    """Return the header line of the course's format. The course misspells "Predicted_Similiary" itself."""
    labels = task.kind.labels
    if labels is None:
        return "id \t Predicted_Similiary \n"
    return "id \t Predicted_Is_Paraphrase \n" if len(labels) == 2 else "id \t Predicted_Sentiment \n"


def course_lines(task: Task, items: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield each record as the course's `{id} , {prediction} ` with the id in lower case.

    The format has numbers only: 0.0 or 1.0 for two classes, an integer for more classes.

    Raises:
        DataError: The task's labels are names. The course's format supports only numbers.
    """
    labels = task.kind.labels
    for record in items:
        prediction = record["prediction"]
        if labels is not None and not isinstance(prediction, int | float):
            raise DataError(
                "the course's format supports only numeric labels",
                where=f"task {task.name}",
                found=prediction,
                hint="write another format, for example with --format jsonl",
            )
        if labels is not None and isinstance(prediction, int | float):
            prediction = float(prediction) if len(labels) == 2 else int(prediction)
        yield f"{str(record['id']).lower()} , {prediction} \n"


def _as_written(target: float) -> float:
    """Return a float32 target as the decimal that it was read from (2.4, not 2.4000000953674316)."""
    return round(target, DIGITS - 1)
