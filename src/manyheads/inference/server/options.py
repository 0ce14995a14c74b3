"""Options of the server."""

from __future__ import annotations

from dataclasses import dataclass

from manyheads.errors import ServeError


@dataclass(frozen=True)
class ServerOptions:
    """Limits and behaviour of the server.

    Attributes:
        batching: predict texts of several requests in one pass. If False, every request has its own pass.
        delay: seconds that a text waits for further texts while the model is idle.
        batch_texts: maximum number of texts per pass. A request with more texts has its own pass.
        queue_texts: maximum number of waiting texts.
        body_bytes: maximum size of a request body.
        request_texts: maximum number of texts per request.
        text_characters: maximum length of a text.
        body_seconds: seconds in which a request body must arrive.
        header_bytes: maximum size of the headers of a request, with its address.
        connections: maximum number of connections. A new one ends the one that has waited longest for a request.
        idle_seconds: seconds that a connection may wait: for the next request, or for the client to read.
        stop_seconds: seconds in which a server that gets a signal ends.
        token: bearer token that clients must send. None accepts every client.
        hosts: names in the header `Host` that are accepted. None: every name if the server has a token, otherwise
            the names of its own address.
        without_token: listen on an address that other machines can reach without a token.

    Raises:
        ServeError: the token is empty.
    """

    batching: bool = True
    delay: float = 0.005
    batch_texts: int = 64
    queue_texts: int = 1024
    body_bytes: int = 1 << 20
    request_texts: int = 256
    text_characters: int = 10_000
    body_seconds: float = 10.0
    header_bytes: int = 32 << 10
    connections: int = 512
    idle_seconds: float = 30.0
    stop_seconds: float = 30.0
    token: str | None = None
    hosts: tuple[str, ...] | None = None
    without_token: bool = False

    def __post_init__(self) -> None:
        if self.token is not None and not self.token.strip():
            hint = "set a token, or omit it"
            raise ServeError("the token is empty", where="token", hint=hint)
