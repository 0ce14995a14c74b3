"""Locks: only one process at a time writes a folder."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from manyheads.errors import RunError
from manyheads.run.atomic import explained


class LockedError(RunError):
    """Another process has the lock."""


@contextmanager
def only_writer(lock: Path, what: str, where: Path) -> Iterator[None]:
    """Lock the file `lock`, which is created if it is missing. The lock ends with the process at the latest.

    Raises:
        LockedError: Another process has the lock. `what` is the message.
        RunError: The folder is not writable.
    """
    with explained(where):
        lock.parent.mkdir(parents=True, exist_ok=True)
        file = lock.open("w")
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(what, where=str(where), hint="wait until that process ends, or stop it") from None
        yield
