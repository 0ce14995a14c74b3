"""Connections: how many there are, and how long one may wait.

uvicorn has limits for the headers (with the protocol of h11), the keep-alive time, the number of requests and the time
to stop. It has none for a client that sends half a header, sends a body that is not read, or reads no response.
"""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.h11_impl import H11Protocol


class Connection(H11Protocol):
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
