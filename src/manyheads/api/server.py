"""The server as an application, to mount in one's own."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any, Protocol

from manyheads.errors import ServeError
from manyheads.inference.load import load
from manyheads.inference.predictor import Predictor

Message = MutableMapping[str, Any]


class Application(Protocol):
    """An ASGI application."""

    async def __call__(
        self,
        scope: Message,
        receive: Callable[[], Awaitable[Message]],
        send: Callable[[Message], Awaitable[None]],
    ) -> None:
        """Handle one request."""


def asgi(
    model: Predictor | str | os.PathLike[str],
    *,
    token: str | None = None,
    hosts: Sequence[str] | str | None = None,
    body_bytes: int = 1 << 20,
    request_texts: int = 256,
    text_characters: int = 10_000,
    queue_texts: int = 1024,
    batch_texts: int = 64,
    delay: float = 0.005,
    batching: bool = True,
    log_requests: bool = False,
) -> Application:
    """Return the HTTP API of `manyheads serve` as an ASGI application: `app.mount("/model", manyheads.asgi(model))`.

    Several can be mounted in one application. Your application need not start or stop it: between requests, it has no
    task and only an idle thread. The limits on headers and connections are those of your server.

    Args:
        model: A model, a run, or the path of a folder that `load` accepts.
        token: The bearer token that clients must send. Default: every client is accepted.
        hosts: Names in the header `Host` that are accepted, such as "*.example.org" or "*". Default: every name with a
            token, otherwise only names of this machine.
        body_bytes: Maximum bytes of a request body.
        request_texts: Maximum texts per request.
        text_characters: Maximum characters per text.
        queue_texts: Maximum waiting texts. Further requests get the status 503.
        batch_texts: Maximum texts per pass.
        delay: Seconds that a text waits for further texts.
        batching: Predict the texts of several requests in one pass.
        log_requests: Write a line of JSON for every request to standard error. Errors are always written.

    Raises:
        ServeError: The extra `serve` is not installed, or the token or a host name cannot be used.
    """
    try:
        from manyheads.inference.server.app import create_app
        from manyheads.inference.server.options import ServerOptions
    except ModuleNotFoundError as error:
        raise ServeError(f"{error.name} is not installed", hint="pip install 'manyheads[serve]'") from error
    options = ServerOptions(
        batching=batching,
        delay=delay,
        batch_texts=batch_texts,
        queue_texts=queue_texts,
        body_bytes=body_bytes,
        request_texts=request_texts,
        text_characters=text_characters,
        token=token,
        hosts=None if hosts is None else (hosts,) if isinstance(hosts, str) else tuple(hosts),
        log_requests=log_requests,
    )
    return create_app(model if isinstance(model, Predictor) else load(model), options)
