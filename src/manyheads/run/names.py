"""The names that tasks may have: parts of the names of files in a run folder, a bundle or an export."""

from __future__ import annotations

import re

TASK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
"""No such name is a path, hidden, or too long for a file name."""

TASK_NAMES = "letters, digits, _ and -, first a letter or digit, at most 128 characters"
"""`TASK_NAME` in words, for messages."""
