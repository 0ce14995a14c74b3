"""The gate: middleware that checks host, token, type and size of every request, counts it and logs it."""

from __future__ import annotations

import asyncio
import hmac
import json
import sys
import time
import traceback
from collections.abc import Mapping
from email.message import Message
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.types import Message as Event

from manyheads.errors import by_caller
from manyheads.inference.server.batcher import Metrics
from manyheads.inference.server.bodies import ProblemError
from manyheads.inference.server.options import Hosts, ServerOptions

GUARDED = ("/v1/", "/metrics")

STOPS = (asyncio.CancelledError, KeyboardInterrupt, SystemExit)
"""What ends a request from outside. Everything else is an error of the request, also a panic of a library in Rust,
which is no `Exception`."""


def log(event: str, **fields: object) -> None:
    """Write one line of JSON to standard error."""
    sys.stderr.write(json.dumps({"time": round(time.time(), 3), "event": event, **fields}) + "\n")
    sys.stderr.flush()


class Gate:
    """ASGI middleware around the application.

    `accepted` and `responded` count requests and finished responses.
    """

    def __init__(self, app: ASGIApp, options: ServerOptions, metrics: Metrics, hosts: Hosts) -> None:
        self._app, self._options, self._metrics, self._hosts = app, options, metrics, hosts
        self.accepted = self.responded = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        self.accepted += 1
        started = time.perf_counter()
        status = 0

        async def watched(message: Event) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            self._admit(scope)
            await self._app(scope, _replay(await self._body(scope, receive), receive), watched)
        except ProblemError as problem:
            await problem.response()(scope, receive, watched)
        except STOPS:
            raise
        except BaseException as error:
            # The message of an error may contain a text of the user. Only its type and location are logged.
            cause = error.__cause__ or error
            frame = traceback.extract_tb(cause.__traceback__)[-1]
            log("error", kind=type(cause).__name__, place=f"{frame.filename}:{frame.lineno}")
            if status == 0:
                failure = ProblemError(500, "internal server error", hint="see the log of the server")
                await failure.response()(scope, receive, watched)
        self.responded += 1
        # A path may contain a text of the user. Only the pattern of the route is logged.
        route = getattr(scope.get("route"), "path", "other")
        seconds = time.perf_counter() - started
        self._metrics.requests.labels(route, str(status)).inc()
        self._metrics.seconds.labels(route).observe(seconds)
        if self._options.log_requests:
            log("request", method=_method(scope), route=route, status=status, seconds=round(seconds, 4))

    def _admit(self, scope: Scope) -> None:
        """Check everything about a request but its body.

        Raises:
            ProblemError: the headers are too large (431), or the host (400), the token (401) or the type of the body
                (415) is wrong.
        """
        headers, options = dict(scope["headers"]), self._options
        size = sum(len(name) + len(value) + 4 for name, value in scope["headers"])
        if size + len(scope.get("raw_path") or b"") + len(scope["query_string"]) > options.header_bytes:
            raise ProblemError(431, "the headers are too large", allowed=f"{options.header_bytes} bytes")
        if not self._hosts.allow(headers.get(b"host")):
            name = by_caller("--allowed-host NAME", 'hosts=["NAME"]')
            hint = f"use the address of the server, or start it with {name}"
            raise ProblemError(400, "the server does not have this name", where="Host", hint=hint)
        path = _own_path(scope)
        guarded = path.startswith(GUARDED)
        if options.token is not None and guarded and not _shows(headers.get(b"authorization", b""), options.token):
            raise ProblemError(
                401,
                "a valid bearer token is required",
                where="Authorization",
                hint="send the header Authorization: Bearer TOKEN",
            )
        if scope["method"] == "POST" and path.startswith("/v1/"):
            _require_json(headers)

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


def _own_path(scope: Scope) -> str:
    """Return the path of a request within this application, which may be mounted under a path, as the router does."""
    path, root = str(scope["path"]), str(scope.get("root_path", ""))
    return path[len(root) :] if root and (path == root or path.startswith(f"{root}/")) else path


def _shows(header: bytes, token: str) -> bool:
    """Return whether a header `Authorization` has the token. The name of the scheme may have any case."""
    scheme, _, shown = header.partition(b" ")
    return hmac.compare_digest(shown.strip(), token.encode()) and scheme.lower() == b"bearer"


def _require_json(headers: Mapping[bytes, bytes]) -> None:
    """Check that a body is JSON in UTF-8. Pages of other sites can send other types without asking the server first.

    Raises:
        ProblemError: it has another type or encoding (415).
    """
    kind = Message()
    kind["content-type"] = headers.get(b"content-type", b"").decode("latin-1")
    charset = str(kind.get_param("charset", "utf-8")).lower()
    encoding = headers.get(b"content-encoding", b"identity").strip().lower()
    is_json = kind.get_content_type() == "application/json" and b"content-type" in headers
    if not is_json or charset not in ("utf-8", "utf8", "us-ascii") or encoding != b"identity":
        raise ProblemError(
            415,
            "the body is not JSON in UTF-8",
            where="Content-Type",
            allowed="application/json",
            hint="send the header Content-Type: application/json, and no Content-Encoding",
        )


def _method(scope: Scope) -> str:
    known = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
    return scope["method"] if scope["method"] in known else "other"


def _replay(body: bytes, receive: Receive) -> Receive:
    """Return a `receive` that yields the body, then the messages after it."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Event:
        return messages.pop() if messages else await receive()

    return replayed
