"""Predictions in the two-column format of the reference course."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from manyheads.errors import DataError, argument
from manyheads.tasks.task import Task


def course_header(task: Task) -> str:
    """Return the header line of the course's format. The course misspells "Predicted_Similiary" itself."""
    column = {0: "Predicted_Similiary", 2: "Predicted_Is_Paraphrase"}
    return f"id \t {column.get(len(task.kind.probability_names), 'Predicted_Sentiment')} \n"


def course_lines(task: Task, items: Iterable[dict[str, object]]) -> Iterator[str]:
    """Yield each record as the course's `{id} , {prediction} ` with the id in lower case.

    The format has numbers only: 0.0 or 1.0 for two classes, an integer for more classes.

    Raises:
        DataError: The task's labels are names. The course's format supports only numbers.
    """
    classes = len(task.kind.probability_names)
    for record in items:
        prediction = record["prediction"]
        if not isinstance(prediction, int | float):
            raise DataError(
                "the course's format supports only numeric labels",
                where=f"task {task.name}",
                found=prediction,
                hint=f"write another format, for example with {argument('form', 'jsonl', option='format')}",
            )
        if classes:
            prediction = float(prediction) if classes == 2 else int(prediction)
        yield f"{str(record['id']).lower()} , {prediction} \n"
