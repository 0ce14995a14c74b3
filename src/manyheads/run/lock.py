"""Locks: only one process at a time writes a folder."""

from __future__ import annotations

import errno
import fcntl
import os
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
        RunError: The folder is not writable, or the lock is a link or a folder.
    """
    with explained(where):
        lock.parent.mkdir(parents=True, exist_ok=True)
        try:
            # The file is not truncated, and a link is not followed: it could name any file of the user.
            file = os.fdopen(os.open(lock, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666), "r+b")
        except OSError as error:
            if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
                raise
            hint = "remove it; manyheads makes a new lock file"
            raise RunError("the lock of the folder is not a file", where=str(lock), hint=hint) from None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(what, where=str(where), hint="wait until that process ends, or stop it") from None
        yield
