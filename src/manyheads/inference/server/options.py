"""What a server may be told."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ServerOptions:
    """Limits and manners of a server.

    `delay`: seconds that a text may wait for company while the model is idle; `batching` off, each request is a pass
    of its own. `batch_texts`: texts a pass (a request with more is a pass of its own); `queue_texts`: texts that may
    wait. `body_bytes`, `request_texts`, `text_characters`: of one request. `body_seconds`: for a body to arrive.
    `token`: what a client must show; None, nothing.
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
