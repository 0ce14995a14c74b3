"""Locks: one process at a time writes a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyheads.errors import RunError
from manyheads.run.atomic import explained


class LockedError(RunError):
    """Another process holds the lock."""


@contextmanager
def only_writer(lock: Path, what: str, where: Path) -> Iterator[None]:
    """Hold the lock file `lock`, made where it is absent. It is the operating system's own: it goes with the process.

    Raises:
        LockedError: another process holds it (the message says `what`).
        RunError: the folder may not be written.
    """
    with explained(where):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(what, where=str(where), hint="wait for it, or stop it first") from None
        yield
