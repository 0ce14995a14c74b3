"""Temporary files and folders next to the one that they will replace, and the removal of those that a kill left.

Their names begin with a dot and end with `.partial`. The process that writes one has a shared lock on it, which the
operating system releases with the process. So no process of this machine or of its containers writes an entry that can
be locked exclusively. A file system that cannot lock keeps its leftovers.
"""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

SUFFIX = ".partial"


def partial_name(path: Path) -> Path:
    """Return the temporary path of this process for `path`, in the same folder."""
    return path.with_name(f".{path.name}.{os.getpid()}{SUFFIX}")


def is_partial(path: Path) -> bool:
    """Return whether a path has the name of a temporary file or folder."""
    return path.name.startswith(".") and path.name.endswith(SUFFIX)


@contextmanager
def held(make: Callable[[], Path]) -> Iterator[Path]:
    """Yield the temporary file or folder that `make` makes, with its lock, so that no other process removes it.

    `make` is called again if another process removed the entry before it was locked.

    Raises:
        OSError: The entry cannot be made.
    """
    handle, path = _made(make)
    try:
        yield path
    finally:
        os.close(handle)


def _made(make: Callable[[], Path]) -> tuple[int, Path]:
    while True:
        path = make()
        try:
            handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        _lock(handle, fcntl.LOCK_SH)
        try:
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle, path
        except FileNotFoundError:
            pass
        os.close(handle)


def sweep(folder: Path, name: str = "") -> None:
    """Remove the temporary entries of a folder that no process writes. `name`: only those that begin with it."""
    try:
        found = [path for path in folder.iterdir() if is_partial(path) and path.name.startswith(f".{name}")]
    except OSError:
        return
    for path in found:
        _remove_if_free(path)


def remove(path: Path) -> None:
    """Remove a file or folder, if it exists. Errors are ignored."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        try:
            path.unlink(missing_ok=True)
        except OSError:
            return


def _remove_if_free(path: Path) -> None:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if _lock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB):
            remove(path)
    finally:
        os.close(handle)


def _lock(handle: int, how: int) -> bool:
    try:
        fcntl.flock(handle, how)
    except OSError:
        return False
    return True
