"""Responses with predictions."""

from __future__ import annotations

import json
from typing import Any

from fastapi import Response
from pydantic import TypeAdapter

from manyheads.inference.server.schemas import Explanation, Prediction

Records = list[dict[str, Any]]

_PREDICTIONS = TypeAdapter(list[Prediction])
_EXPLANATIONS = TypeAdapter(list[Explanation])
_BY_TASK = TypeAdapter(dict[str, list[Prediction]])


def task_predictions(task: str, records: Records) -> Response:
    """Return a body of the form `TaskPredictions`."""
    return _respond(_PREDICTIONS, records, task=task)


def task_explanations(task: str, records: Records) -> Response:
    """Return a body of the form `TaskExplanations`."""
    return _respond(_EXPLANATIONS, records, task=task)


def predictions_by_task(records: dict[str, Records]) -> Response:
    """Return a body of the form `Predictions`."""
    return _respond(_BY_TASK, records)


def _respond(adapter: TypeAdapter[Any], records: Any, **fields: str) -> Response:
    """Return JSON with `fields`, `predictions` and the deprecated copy `answers`.

    The predictions are serialised once, and their bytes are used for both keys.
    """
    predictions = adapter.dump_json(adapter.validate_python(records))
    start = "".join(f"{json.dumps(name)}:{json.dumps(value)}," for name, value in fields.items()).encode()
    content = b"".join((b"{", start, b'"predictions":', predictions, b',"answers":', predictions, b"}"))
    return Response(content, media_type="application/json")
