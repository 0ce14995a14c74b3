"""Names: of tasks, which are parts of file names in a run folder, a bundle or an export; and paths that users write."""

from __future__ import annotations

import re
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
