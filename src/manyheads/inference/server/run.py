"""Run the server until it receives a signal, with limits on its connections.

uvicorn has limits for the headers (with the protocol of h11), the keep-alive time, the number of requests and the time
to stop. It has none for a client that sends half a header, sends a body that is not read, or reads no response.
"""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path
from types import FrameType
from typing import Any, Literal

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from manyheads.errors import ServeError, argument
from manyheads.inference.load import load
from manyheads.inference.predictor import Predictor
from manyheads.inference.server.app import create_app
from manyheads.inference.server.gate import log
from manyheads.inference.server.options import ServerOptions, hosts_for, is_loopback, require_token

BACKLOG = 256
"""Connections that the system keeps until the server accepts them, and that the server accepts at once."""

GRACE = 0.8
"""Share of the time to stop after which requests that are still running are cancelled."""


def serve_run(
    run: Path,
    host: str,
    port: int,
    options: ServerOptions,
    *,
    int8: bool = False,
    runtime: Literal["torch", "onnx"] = "torch",
    threads: int = 0,
) -> None:
    """Load the model of a run and serve it, as `run_server` does. The address is checked before the model is loaded.

    Raises:
        ManyheadsError: the model cannot be loaded, or the server cannot start.
    """
    require_token(host, token=options.token is not None, without_token=options.without_token)
    hosts_for(host, options.hosts, token=options.token is not None)
    run_server(load(run, int8=int8, runtime=runtime, threads=threads), host, port, options)


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
        hint = f"choose another port with {argument('port')}, or a free port with {argument('port', 0)}"
        raise ServeError(
            "the server cannot listen on the address", where=f"{host}:{port}", found=str(error), hint=hint
        ) from error
    # The name may have another address by now than when it was checked.
    address, port = listener.getsockname()[:2]
    if not is_loopback(address):
        require_token(address, token=options.token is not None, without_token=options.without_token)
    config = uvicorn.Config(
        app,
        http=type("Connection", (_Connection,), {"idle_seconds": options.idle_seconds, "most": options.connections}),
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


class _Connection(H11Protocol):
    """A connection that is closed if it waits too long.

    A connection waits while it has no request in progress (from its start, or the end of a response, until the headers
    of the next request are complete), and while the client does not read. If there are too many connections, a new one
    ends the one that has waited longest for a request.
    """

    idle_seconds: float
    most: int
    """Maximum number of connections. A subclass sets both."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self._since: float | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start to wait for a request."""
        super().connection_made(transport)
        self._update()
        others = [each for each in self.connections if not each.transport.is_closing()]
        if len(others) > self.most:
            self._end_one(others)

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the timer."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Handle data, which may complete the headers of a request."""
        super().data_received(data)
        self._update()

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        super().on_response_complete()
        self._update()

    def pause_writing(self) -> None:
        """Wait until the client reads."""
        super().pause_writing()
        self._update()

    def resume_writing(self) -> None:
        """Stop waiting: the client has read."""
        super().resume_writing()
        self._update()

    def _update(self) -> None:
        """Start or stop waiting. Data that completes no request does not extend the time."""
        busy = self.cycle is not None and not self.cycle.response_complete
        if busy and not self.flow.write_paused:
            self._stop_waiting()
        elif self._timer is None and not self._lost():
            self._since = self.loop.time()
            self._timer = self.loop.call_later(self.idle_seconds, self._end)

    def _stop_waiting(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._since = None

    def _end(self) -> None:
        """Close the connection. What the client has not read is dropped, because closing would wait for it."""
        self._timer = None
        if self.transport.get_write_buffer_size() > 0:
            self.transport.abort()
        else:
            self.transport.close()

    def _end_one(self, connections: list[Any]) -> None:
        """End the connection that has waited longest for a request, if one waits."""
        waiting = [each for each in connections if each is not self and each._waits_for_request()]
        if waiting:
            min(waiting, key=lambda each: each._since).transport.abort()

    def _waits_for_request(self) -> bool:
        return self._since is not None and (self.cycle is None or self.cycle.response_complete)

    def _lost(self) -> bool:
        return self not in self.connections
