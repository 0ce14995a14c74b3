"""Options of the server."""

from __future__ import annotations

from dataclasses import dataclass


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
        token: bearer token that clients must send. None accepts every client.
    """

    batching: bool = True
    delay: float = 0.005
    batch_texts: int = 64
    queue_texts: int = 1024
    body_bytes: int = 1 << 20
    request_texts: int = 256
    text_characters: int = 10_000
    body_seconds: float = 10.0
    token: str | None = None
