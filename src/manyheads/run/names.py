"""Names of tasks and paths that users write, the limits of their numbers, and links, which are not followed."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
"""No such name is a path, hidden, or too long for a file name."""

TASK_NAMES = "letters, digits, _ and -, first a letter or digit, at most 128 characters"
"""`TASK_NAME` in words, for messages."""

RESERVED = ("average", "course_score")
"""Metrics over all tasks, which results and studies name next to tasks. No task can have these names."""


def user_path(text: str) -> Path:
    """Return a path as a user wrote it, with `~` and `~USER` as home folders. As in a shell, an unknown user stays."""
    try:
        return Path(text).expanduser()
    except RuntimeError:
        return Path(text)


def strangers(path: Path) -> Iterator[Path]:
    """Yield `path` itself or what is below it, if it is neither a file nor a folder: a link, a device, a pipe.

    No link is followed. A missing path yields nothing.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:
        return
    if stat.S_ISDIR(mode):
        yield from strangers_below(path)
    elif not stat.S_ISREG(mode):
        yield path


def strangers_below(folder: Path) -> Iterator[Path]:
    """Yield what is below a folder and is neither a file nor a folder. The folder itself may be a link."""
    for parent, folders, files in os.walk(folder):
        for name in sorted((*folders, *files)):
            place = Path(parent) / name
            mode = place.lstat().st_mode
            if not (stat.S_ISDIR(mode) or stat.S_ISREG(mode)):
                yield place


MOST_THREADS = 1024
"""More than the cores of a machine. With many thousand threads, the OpenMP library of torch ends the process."""
