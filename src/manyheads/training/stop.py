"""Requests to stop: a run writes a checkpoint at the end of its step, and then ends or continues."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType
from typing import Protocol

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)
"""Signals that ask for a checkpoint and the end of the run."""

SAVES = signal.SIGUSR1
"""The signal that asks for a checkpoint. The run continues."""

PATIENCE = 3
"""The number of the Ctrl-C that ends a run at once. torchrun repeats the first, so the second asks for nothing new."""


class Interrupted(KeyboardInterrupt):
    """A signal or an event asked the run to stop, and it has written a checkpoint.

    `step`: finished updates. `signal_number`: 0 if it was an event.
    """

    def __init__(self, step: int, signal_number: int, message: str | None = None) -> None:
        super().__init__(message or f"stopped after step {step}")
        self.step = step
        self.signal_number = signal_number

    def __reduce__(self) -> tuple[type[Interrupted], tuple[int, int, str]]:
        return type(self), (self.step, self.signal_number, str(self))


class Stopping(BaseException):
    """A signal or an event asked to stop while files were read or during an evaluation, which has no result then."""


class Event(Protocol):
    """An event that asks a run to stop once it is set, as `threading.Event`."""

    def is_set(self) -> bool:
        """Return whether the event is set."""


class StopFlag:
    """Whether a run is to stop. It is true once one of `STOPS` arrived or its event was set, and stays true.

    Later signals do not change it, so that they cannot break the checkpoint that the first one asked for. Only Ctrl-C
    number `PATIENCE` has its usual effect, outside of `protected` blocks.

    `failure`: the error of a listener because of which the run is to stop, or None.

    Args:
        event: An event that asks for the stop when it is set.
        ends_process: The process ends after a stop, as a command does. A stop then leaves all these signals ignored,
            so that a repeated signal cannot change the exit status.
    """

    def __init__(self, event: Event | None = None, *, ends_process: bool = False) -> None:
        self.ends_process = ends_process
        self.signal_number: int | None = None
        self.save_wanted = False
        self.failure: Exception | None = None
        self._event = event
        self._asked = False
        self._interrupts = 0
        self._protected = 0
        self._at_once = 0

    @classmethod
    def of(cls, stop: StopFlag | Event | None) -> StopFlag:
        """Return the flag itself, or a new one that follows an event.

        Raises:
            TypeError: The value is not an event.
        """
        if stop is not None and not callable(getattr(stop, "is_set", None)):
            raise TypeError(f"stop is an event such as threading.Event(), not a {type(stop).__name__}")
        return stop if isinstance(stop, StopFlag) else cls(stop)

    def __bool__(self) -> bool:
        if self._event is not None and self._event.is_set():
            self._asked = True
        return self._asked or self.signal_number is not None

    def is_set(self) -> bool:
        """Return whether the run is to stop."""
        return bool(self)

    def fail(self, error: Exception) -> None:
        """Ask the run to stop because of an error of a listener. The first error is kept."""
        self.failure = self.failure or error
        self._asked = True

    def check(self) -> None:
        """Raise Stopping if the run is to stop."""
        if self:
            raise Stopping

    def saved(self) -> None:
        """Note that a checkpoint was written."""
        self.save_wanted = False

    def protected(self) -> AbstractContextManager[None]:
        """Let no signal interrupt the block."""
        return self._protecting()

    @contextmanager
    def _protecting(self) -> Iterator[None]:
        self._protected += 1
        try:
            yield
        finally:
            self._protected -= 1

    @contextmanager
    def at_once(self) -> Iterator[None]:
        """Let a signal end the block at once. Use it where nothing is lost then.

        An event is noticed before the block, after it, and wherever the block calls `check`.

        Raises:
            Stopping: the run is to stop.
        """
        self.check()
        self._at_once += 1
        try:
            yield
        finally:
            self._at_once -= 1
        self.check()

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Catch signals while the block runs. Outside the main thread, signals keep their handlers.

        SIGHUP keeps being ignored if it is, as under nohup. A signal whose handler is not Python's keeps it, because
        Python could not restore it.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        handlers = {number: signal.getsignal(number) for number in (*STOPS, SAVES)}
        before = {number: handler for number, handler in handlers.items() if handler is not None}
        if before.get(signal.SIGHUP) is signal.SIG_IGN:
            del before[signal.SIGHUP]

        def note(number: int, frame: FrameType | None) -> None:
            """Note what a signal asks for."""
            if number == SAVES:
                self.save_wanted = True
                return
            first, self.signal_number = self.signal_number is None, self.signal_number or number
            self._interrupts += number == signal.SIGINT
            usual = before.get(signal.SIGINT)
            if self._interrupts >= PATIENCE and not self._protected and callable(usual):
                usual(number, frame)
            if first and self._at_once and not self._protected:
                raise Stopping

        for number in before:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in before.items():
                # Python restores SIG_DFL for its own handlers when the interpreter ends, and leaves SIG_IGN alone.
                signal.signal(number, signal.SIG_IGN if self and self.ends_process else handler)
