"""Listeners: they receive the events of a run (the event log, the progress display, a tracker)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from manyheads.training.stop import Interrupted, StopFlag


class Listener(Protocol):
    """A function that receives an event's name and its fields, in the order in which events happen."""

    def __call__(self, event: str, **fields: object) -> None:
        """Receive one event."""


class Listeners:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def __call__(self, event: str, **fields: object) -> None:
        """Notify every listener, in order."""
        for listener in self._listeners:
            listener(event, **fields)


class UntilFailure:
    """A listener that receives no event after its first error. `failed` is called with that error and the event."""

    def __init__(self, listener: Listener, failed: Callable[[Exception, str], None]) -> None:
        self._listener: Listener | None = listener
        self._failed = failed

    def __call__(self, event: str, **fields: object) -> None:
        """Pass one event on."""
        if self._listener is None:
            return
        try:
            self._listener(event, **fields)
        except Exception as error:
            self._listener = None
            self._failed(error, event)


def stopping(listener: Listener, stop: StopFlag) -> Listener:
    """Return a listener whose first error asks the run to stop. It receives no event after that.

    The run ends with that error after a checkpoint, so it can be resumed.
    """

    def failed(error: Exception, event: str) -> None:
        error.add_note(f"A listener raised this error at the event {event!r}. The run stopped and can be resumed.")
        stop.fail(error)

    return UntilFailure(listener, failed)


@contextmanager
def failures_raised(stop: StopFlag) -> Iterator[None]:
    """Raise the error of a listener, if there was one, when the block ends or is interrupted."""
    try:
        yield
    except Interrupted:
        if stop.failure is None:
            raise
    if stop.failure is not None:
        raise stop.failure


@contextmanager
def report_end(notify: Listener) -> Iterator[None]:
    """Send the event `interrupted` or `failed` when the block ends with an exception, and raise the exception again."""
    try:
        yield
    except Interrupted as stopped:
        notify("interrupted", at=stopped.step)
        raise
    except BaseException as error:
        notify("failed", error=type(error).__name__)
        raise
