"""A request that cannot be answered, and the response that says so: no text of a user's is said back."""

from __future__ import annotations

import json

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from manyheads.errors import did_you_mean
from manyheads.inference.predictor import Predictor
from manyheads.inference.server.batcher import Row
from manyheads.inference.server.options import ServerOptions
from manyheads.inference.server.schemas import Item


class ProblemError(Exception):
    """A request refused with a status and a reason."""

    def __init__(
        self, status: int, error: str, *, where: str | None = None, allowed: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.parts = {"error": error, "where": where, "allowed": allowed, "hint": hint}

    def response(self) -> Response:
        """The reason as JSON, in ASCII: half of a surrogate pair in a task's name is then no obstacle."""
        headers = {401: {"WWW-Authenticate": "Bearer"}, 503: {"Retry-After": "1"}}.get(self.status)
        content = json.dumps({name: part for name, part in self.parts.items() if part is not None})
        return Response(content, self.status, headers, "application/json")


async def refused(_: Request, error: Exception) -> Response:
    """The response to a ProblemError."""
    assert isinstance(error, ProblemError)
    return error.response()


async def misshapen(_: Request, error: Exception) -> Response:
    """The response to a body of the wrong form: where and why, without what stood there."""
    assert isinstance(error, RequestValidationError)
    first = error.errors()[0]
    where = ".".join(str(part) for part in first["loc"])
    return ProblemError(422, str(first["msg"]), where=where, hint="see /docs for the form of a request").response()


async def plain(_: Request, error: Exception) -> Response:
    """The response to an error of the framework's own: no such path, no such method, a body that is no JSON."""
    assert isinstance(error, HTTPException)
    response = ProblemError(error.status_code, str(error.detail)).response()
    response.headers.update(error.headers or {})
    return response


def checked(predictor: Predictor, options: ServerOptions, tasks: list[str], texts: list[Item]) -> list[Row]:
    """The rows of a request.

    Raises:
        ProblemError: an unknown task (404), too many or too long texts (413), a text that no task reads (422).
    """
    for name in tasks:
        if name not in predictor.tasks:
            allowed, hint = ", ".join(predictor.tasks), did_you_mean(name, predictor.tasks)
            raise ProblemError(404, "this model has no such task", where="task", allowed=allowed, hint=hint)
    if len(set(tasks)) < len(tasks):
        raise ProblemError(422, "a task is named twice", where="tasks")
    if len(texts) * len(tasks) > options.request_texts:
        raise ProblemError(413, "too many texts in one request", where="texts", allowed=f"{options.request_texts}")
    widths = {len(predictor.tasks[name].text) for name in tasks}
    if len(widths) > 1:
        raise ProblemError(
            422, "these tasks read different forms of text", where="tasks", hint="ask one form at a time"
        )
    (width,) = widths
    return [_row(item, width, f"texts.{number}", options.text_characters) for number, item in enumerate(texts)]


def _row(item: Item, width: int, where: str, characters: int) -> Row:
    row = (item,) if isinstance(item, str) else tuple(item)
    if len(row) != width:
        allowed = "a string" if width == 1 else "a pair of strings"
        raise ProblemError(422, "not what the task reads", where=where, allowed=allowed)
    for text in row:
        if len(text) > characters:
            raise ProblemError(413, "a text is too long", where=where, allowed=f"{characters} characters")
        if not text.strip():
            raise ProblemError(422, "an empty text", where=where, allowed="a text with a word in it")
        if "\0" in text:
            raise ProblemError(422, "a text with a NUL character", where=where)
        if any("\ud800" <= letter <= "\udfff" for letter in text):
            raise ProblemError(422, "a text with half of a surrogate pair", where=where, allowed="Unicode text")
    return row
