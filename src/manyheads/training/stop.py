"""Signals: a run writes a checkpoint at the end of its step, and then ends or continues."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from types import FrameType

STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2)
"""Signals that ask for a checkpoint and the end of the run."""

SAVES = signal.SIGUSR1
"""The signal that asks for a checkpoint. The run continues."""

PATIENCE = 3
"""The number of the Ctrl-C that ends a run at once. torchrun repeats the first, so the second asks for nothing new."""


class Interrupted(BaseException):
    """A signal asked the run to stop, and it has written a checkpoint. `step`: finished updates."""

    def __init__(self, step: int, signal_number: int) -> None:
        super().__init__(f"stopped after step {step}")
        self.step = step
        self.signal_number = signal_number


class Stopping(BaseException):
    """A signal asked to stop during an evaluation, which has no result then."""


class StopFlag:
    """What the signals of this process asked for. It is true once one of `STOPS` arrived, and stays true.

    Later signals do not change it, so that they cannot break the checkpoint that the first one asked for. Only Ctrl-C
    number `PATIENCE` has its usual effect, outside of `protected` blocks.

    Args:
        ends_process: The process ends after a stop, as a command does. A stop then leaves all these signals ignored,
            so that a repeated signal cannot change the exit status.
    """

    def __init__(self, *, ends_process: bool = False) -> None:
        self.ends_process = ends_process
        self.signal_number: int | None = None
        self.save_wanted = False
        self._interrupts = 0
        self._protected = 0

    def __bool__(self) -> bool:
        return self.signal_number is not None

    def check(self) -> None:
        """Raise Stopping if a signal asked to stop."""
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
    def listening(self) -> Iterator[None]:
        """Catch signals while the block runs. Outside the main thread, signals keep their handlers.

        SIGHUP keeps being ignored if it is, as under nohup.
        """
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.getsignal(number) for number in (*STOPS, SAVES)}
        if before[signal.SIGHUP] is signal.SIG_IGN:
            del before[signal.SIGHUP]

        def note(number: int, frame: FrameType | None) -> None:
            """Note what a signal asks for."""
            if number == SAVES:
                self.save_wanted = True
                return
            self.signal_number = self.signal_number or number
            self._interrupts += number == signal.SIGINT
            usual = before[signal.SIGINT]
            if self._interrupts >= PATIENCE and not self._protected and callable(usual):
                usual(number, frame)

        for number in before:
            signal.signal(number, note)
        try:
            yield
        finally:
            for number, handler in before.items():
                # Python restores SIG_DFL for its own handlers when the interpreter ends, and leaves SIG_IGN alone.
                signal.signal(number, signal.SIG_IGN if self and self.ends_process else handler)
