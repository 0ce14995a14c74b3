"""Bodies of requests and responses, and the responses to requests that fail.

A response to a request that fails never repeats a text of the user.
"""

from __future__ import annotations

import json
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict, Field, TypeAdapter
from starlette.exceptions import HTTPException

from manyheads.errors import did_you_mean
from manyheads.inference.predictor import Predictor
from manyheads.inference.server.batcher import Row
from manyheads.inference.server.options import ServerOptions

Item = str | list[str]

TEXTS = (
    "Texts, or pairs of texts if the task reads two. A pair is a list of two strings. For a task with candidates, an "
    "item is a list of the text and its candidates."
)

PREDICTIONS = "One prediction per text, in order."

COPY = "Deprecated copy of `predictions`. Version 1.0 removes it."


class TextsBody(BaseModel):
    """Texts for one task."""

    model_config = ConfigDict(extra="forbid")
    texts: list[Item] = Field(min_length=1, description=TEXTS, examples=[["A fine film."]])


class TasksBody(TextsBody):
    """Texts for several tasks. All of the tasks must read one text, or all must read pairs."""

    tasks: list[str] = Field(min_length=1, description="Names of the tasks to predict.")


class Span(BaseModel):
    """A span of words with a label."""

    start: int = Field(description="The first character of the span in the text, from 0.")
    end: int = Field(description="The character after the last one of the span.")
    label: str = Field(description="The type of the span.")
    text: str = Field(description="The characters of the span.")


class Prediction(BaseModel):
    """The prediction for one text or pair: a label with the probability of every label, or a value."""

    prediction: str | int | float | bool | list[str | int | float | bool] | dict[str, Any] = Field(
        description="The predicted label or value, the list of labels of a task with several, or an object of a kind "
        "from outside the package predicts.",
        examples=["positive"],
    )
    probabilities: dict[str, float] | list[float] | None = Field(
        default=None,
        description="Probability of every label. `null` for a task that predicts values. For a task per word, the "
        "probability of each predicted tag, and for a task with candidates that of each candidate.",
        examples=[{"negative": 0.1, "positive": 0.9}],
    )
    value: float | None = Field(
        default=None, description="The predicted value. `null` for a task that predicts labels.", examples=[None]
    )
    words: list[str] | None = Field(
        default=None, description="The words of the text, for a task per word. `prediction` has their tags."
    )
    text: str | None = Field(default=None, description="The chosen candidate, for a task with candidates.")
    spans: list[Span] | None = Field(
        default=None, description="The predicted spans of words, for a task per word whose tags mark spans."
    )


class Token(BaseModel):
    """A token and its contribution to the prediction."""

    token: str = Field(description="The token as the vocabulary spells it.")
    weight: float = Field(
        description="From -1 to 1. A positive weight supports the prediction, a negative weight opposes it."
    )


class Explanation(Prediction):
    """A prediction with the weights of the tokens of each text."""

    tokens: list[list[Token]] = Field(description="One list per text. It has the tokens that the model read.")


class TaskPredictions(BaseModel):
    """The predictions of one task."""

    task: str = Field(description="Name of the task.")
    predictions: list[Prediction] = Field(description=PREDICTIONS)
    answers: list[Prediction] = Field(deprecated=True, description=COPY)


class TaskExplanations(BaseModel):
    """The explained predictions of one task."""

    task: str = Field(description="Name of the task.")
    predictions: list[Explanation] = Field(description=PREDICTIONS)
    answers: list[Explanation] = Field(deprecated=True, description=COPY)


class Predictions(BaseModel):
    """The predictions of several tasks, by the name of the task."""

    predictions: dict[str, list[Prediction]] = Field(description=f"{PREDICTIONS} The keys are names of tasks.")
    answers: dict[str, list[Prediction]] = Field(deprecated=True, description=COPY)


class TaskInfo(BaseModel):
    """A task of the model."""

    name: str = Field(description="Name of the task.")
    texts: int = Field(description="Number of texts that the task reads: 1, or 2 for pairs.")
    columns: list[str] = Field(description="Names of the text columns in the training data.")
    candidates: bool = Field(default=False, description="Whether candidates follow the text of an item.")
    predicts: str = Field(default="", description="What the task predicts, as a phrase in Markdown.")
    explained: bool = Field(description="Whether `/v1/explain/{task}` is supported.")
    labels: list[Any] | None = Field(default=None, description="The labels. `null` for a task that predicts values.")
    range: list[float] | None = Field(
        default=None, description="Lowest and highest value. `null` for a task that predicts labels."
    )


class Problem(BaseModel):
    """The reason why a request failed."""

    error: str = Field(description="What is wrong.")
    where: str | None = Field(default=None, description="The part of the request.")
    allowed: str | None = Field(default=None, description="What is allowed there.")
    hint: str | None = Field(default=None, description="What to do.")


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


class ProblemError(Exception):
    """A request that fails with a status and a reason."""

    def __init__(
        self, status: int, error: str, *, where: str | None = None, allowed: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.parts = {"error": error, "where": where, "allowed": allowed, "hint": hint}

    def response(self) -> Response:
        """Return the reason as JSON. It is ASCII because the name of a task may contain an unpaired surrogate."""
        headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(self.status)
        content = json.dumps({name: part for name, part in self.parts.items() if part is not None})
        return Response(content, self.status, headers, "application/json")


async def problem_response(_: Request, error: Exception) -> Response:
    """Respond to a ProblemError."""
    assert isinstance(error, ProblemError)
    return error.response()


async def invalid_request(_: Request, error: Exception) -> Response:
    """Respond to an invalid body with the location and the reason, without the value."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return ProblemError(422, str(first["msg"]), where=where, hint="see /docs for the schema of the request").response()


async def http_error(_: Request, error: Exception) -> Response:
    """Respond to an error of the framework: unknown path, wrong method, body that is not UTF-8."""
    assert isinstance(error, HTTPException)
    hint = "see /docs for the routes" if error.status_code in (404, 405) else None
    response = ProblemError(error.status_code, str(error.detail), hint=hint).response()
    response.headers.update(error.headers or {})
    return response


def rows_of(predictor: Predictor, options: ServerOptions, tasks: list[str], texts: list[Item]) -> list[Row]:
    """Return the rows of a request.

    Raises:
        ProblemError: a task is unknown (404), there are too many texts or a text is too long (413), or a text is not
            what the tasks read (422).
    """
    for name in tasks:
        if name not in predictor.tasks:
            allowed, hint = ", ".join(predictor.tasks), did_you_mean(name, predictor.tasks)
            raise ProblemError(404, "the model has no such task", where="task", allowed=allowed, hint=hint)
    if len(set(tasks)) < len(tasks):
        raise ProblemError(422, "a task is repeated", where="tasks")
    if sum(map(_size, texts)) * len(tasks) > options.request_texts:
        raise ProblemError(413, "too many texts in one request", where="texts", allowed=f"{options.request_texts}")
    kinds = [(predictor.tasks[name].kind.reads == "candidates", predictor.tasks[name]) for name in tasks]
    widths = {0 if chooses else len(task.text) for chooses, task in kinds}
    if len(widths) > 1:
        raise ProblemError(
            422,
            "the tasks read different numbers of texts: one text, pairs, or a text with candidates",
            where="tasks",
            hint="send one request for each",
        )
    (width,) = widths
    return [_row(item, width, f"texts.{number}", options.text_characters) for number, item in enumerate(texts)]


def _size(item: Item) -> int:
    """Return how many sequences an item needs at most: one per candidate, otherwise 1."""
    return 1 if isinstance(item, str) else max(1, len(item) - 1)


def _row(item: Item, width: int, where: str, characters: int) -> Row:
    """Return the texts of an item. `width`: their number, or 0 for a text with candidates."""
    row = (item,) if isinstance(item, str) else tuple(item)
    if len(row) != width if width else len(row) < 2:
        allowed = {0: "a list of a text and its candidates", 1: "a string"}.get(width, "a pair of strings")
        raise ProblemError(422, "wrong number of texts", where=where, allowed=allowed)
    for text in row:
        if len(text) > characters:
            raise ProblemError(413, "a text is too long", where=where, allowed=f"{characters} characters")
        if not text.strip():
            raise ProblemError(422, "empty text", where=where, allowed="a text with a word in it")
        if "\0" in text:
            raise ProblemError(422, "NUL character in a text", where=where)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ProblemError(422, "unpaired surrogate in a text", where=where, allowed="Unicode text")
    return row
