"""Run the server until it receives a signal."""

from __future__ import annotations

import os
import socket
import threading
from types import FrameType

import uvicorn

from manyheads.errors import ServeError
from manyheads.inference.predictor import Predictor
from manyheads.inference.server.app import create_app
from manyheads.inference.server.connections import Connection
from manyheads.inference.server.gate import log
from manyheads.inference.server.hosts import is_loopback, require_token
from manyheads.inference.server.options import ServerOptions

BACKLOG = 256
"""Connections that the system keeps until the server accepts them, and that the server accepts at once."""

GRACE = 0.8
"""Share of the time to stop after which requests that are still running are cancelled."""


def run_server(predictor: Predictor, host: str, port: int, options: ServerOptions) -> None:
    """Listen until a signal arrives, then finish every accepted request. Port 0 chooses a free port.

    The process ends within `stop_seconds` of the signal, also if a client does not read or the model does not respond.

    Raises:
        ServeError: the server cannot listen on the address, or other machines can reach it and it has no token.
    """
    require_token(host, token=options.token is not None, without_token=options.without_token)
    app = create_app(predictor, options, host)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except (OSError, UnicodeError) as error:
        hint = "choose another port with --port, or a free port with --port 0"
        raise ServeError(
            "the server cannot listen on the address", where=f"{host}:{port}", found=str(error), hint=hint
        ) from error
    # The name may have another address by now than when it was checked.
    address, port = listener.getsockname()[:2]
    if not is_loopback(address):
        require_token(address, token=options.token is not None, without_token=options.without_token)
    config = uvicorn.Config(
        app,
        http=type("Connection", (Connection,), {"idle_seconds": options.idle_seconds, "most": options.connections}),
        h11_max_incomplete_event_size=options.header_bytes,
        timeout_keep_alive=options.idle_seconds,  # type: ignore[arg-type]  # any number of seconds works
        limit_concurrency=options.connections + 1,
        timeout_graceful_shutdown=options.stop_seconds * GRACE,  # type: ignore[arg-type]
        backlog=BACKLOG,
        ws="none",
        proxy_headers=False,
        log_config=None,
        access_log=False,
        lifespan="on",
        server_header=False,
    )
    url = f"http://[{host}]:{port}" if family == socket.AF_INET6 else f"http://{host}:{port}"
    log(
        "listening",
        url=url,
        host=host,
        port=port,
        tasks=list(predictor.tasks),
        token=bool(options.token),
        stop_seconds=options.stop_seconds,
    )
    _Server(config, options.stop_seconds).run(sockets=[listener])


class _Server(uvicorn.Server):
    """A server whose process ends within some seconds of the first signal."""

    def __init__(self, config: uvicorn.Config, stop_seconds: float) -> None:
        super().__init__(config)
        self._stop_seconds = stop_seconds
        self._watch: threading.Timer | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to stop."""
        if self._watch is None:
            self._watch = threading.Timer(self._stop_seconds, _leave, (sig,))
            self._watch.daemon = True
            self._watch.start()
        super().handle_exit(sig, frame)


def _leave(sig: int) -> None:
    """End the process at once. Threads of the model cannot be interrupted."""
    log("stopped", complete=False)
    os._exit(128 + sig)
