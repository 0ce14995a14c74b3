"""The gate: middleware that checks the size and token of every request, counts it and logs it."""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
import time
import traceback
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from manyheads.inference.server.metrics import Metrics
from manyheads.inference.server.options import ServerOptions
from manyheads.inference.server.problems import ProblemError

GUARDED = ("/v1/", "/metrics")


def log(event: str, **fields: object) -> None:
    """Write one line of JSON to standard error."""
    sys.stderr.write(json.dumps({"time": round(time.time(), 3), "event": event, **fields}) + "\n")
    sys.stderr.flush()


class Gate:
    """ASGI middleware around the application.

    `accepted` and `responded` count requests and finished responses.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions, metrics: Metrics) -> None:
        self._app, self._options, self._metrics = app, options, metrics
        self.accepted = self.responded = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.accepted += 1
        started = time.perf_counter()
        status = 0

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            self._admit(scope)
            await self._app(scope, _replay(await self._body(scope, receive), receive), watched)
        except ProblemError as problem:
            await problem.response()(scope, receive, watched)
        except Exception as error:
            # The message of an error may contain a text of the user. Only its type and location are logged.
            frame = traceback.extract_tb(error.__traceback__)[-1]
            log("error", kind=type(error).__name__, place=f"{frame.filename}:{frame.lineno}")
            if status == 0:
                failure = ProblemError(500, "internal server error", hint="see the log of the server")
                await failure.response()(scope, receive, watched)
        self.responded += 1
        # A path may contain a text of the user. Only the pattern of the route is logged.
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - started
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        log("request", method=_method(scope), route=route, status=status, seconds=round(seconds, 4))

    def _admit(self, scope: Scope) -> None:
        token = self._options.token
        if token is None or not scope["path"].startswith(GUARDED):
            return
        shown = dict(scope["headers"]).get(b"authorization", b"")
        if not hmac.compare_digest(shown, b"Bearer " + token.encode()):
            raise ProblemError(
                401,
                "a valid bearer token is required",
                where="Authorization",
                hint="send the header Authorization: Bearer TOKEN",
            )

    async def _body(self, scope: Scope, receive: Receive) -> bytes:
        """Read the whole body.

        Raises:
            ProblemError: it is too large (413) or too slow (408).
        """
        too_large = ProblemError(
            413, "the body is too large", where="body", allowed=f"{self._options.body_bytes} bytes"
        )
        stated = dict(scope["headers"]).get(b"content-length", b"0")
        if stated.isdigit() and int(stated[:20]) > self._options.body_bytes:
            raise too_large
        body = bytearray()
        try:
            async with asyncio.timeout(self._options.body_seconds):
                while True:
                    message = await receive()
                    body += message.get("body", b"")
                    if len(body) > self._options.body_bytes:
                        raise too_large
                    if not message.get("more_body", False):
                        return bytes(body)
        except TimeoutError:
            raise ProblemError(408, "the body did not arrive in time", where="body") from None


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body, then the messages after it."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return messages.pop() if messages else await receive()

    return replayed
