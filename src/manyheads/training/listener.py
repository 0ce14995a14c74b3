"""Listeners: whoever wants to know what happens in a run (the event log, the progress display, a tracker)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Listener(Protocol):
    """One function: an event's name and its fields, in the order in which things happen."""

    def __call__(self, event: str, **fields: object) -> None:
        """Take note of one event."""


class Listeners:
    """Several listeners as one."""

    def __init__(self, listeners: Sequence[Listener]) -> None:
        self._listeners = tuple(listeners)

    def __call__(self, event: str, **fields: object) -> None:
        """Tell every listener, in order."""
        for listener in self._listeners:
            listener(event, **fields)
