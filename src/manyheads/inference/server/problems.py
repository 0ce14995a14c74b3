"""Requests that fail, and their responses. A response never repeats a text of the user."""

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
