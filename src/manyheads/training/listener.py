"""Listeners: they receive the events of a run (the event log, the progress display, a tracker)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from manyheads.training.stop import Interrupted


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
