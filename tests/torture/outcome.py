"""What the end of a command is: the expected output, a clear error, a traceback, or another output without a note."""

from __future__ import annotations

import re
from collections.abc import Mapping

from tests.torture.fork import Done
from tests.torture.ledger import ERROR, HANG, SAME, TRACEBACK, WRONG, Verdict, verdict

CLEAR = re.compile(r"^(?:error: .|Usage: |failed: )", re.MULTILINE)
"""The form of the program's messages, and of its usage errors."""

INTERNAL = re.compile(
    r"Traceback \(most recent call last\)|^(?:thread '.*' panicked|Exception in thread|Fatal Python error)",
    re.MULTILINE,
)


def crash(done: Done) -> Verdict | None:
    """Return the verdict on a command that did not end properly: no end, a traceback, or a status without a message."""
    words = " ".join(done.words)
    if done.status is None:
        return verdict(HANG, f"{words}: no end after {done.seconds:.0f} s", done.text)
    if INTERNAL.search(done.text):
        return verdict(TRACEBACK, words, done.text)
    if done.status < 0:
        return verdict(TRACEBACK, f"{words}: ended by signal {-done.status}", done.text)
    if done.status not in (0, 3) and not CLEAR.search(done.text):
        return verdict(TRACEBACK, f"{words}: status {done.status} without a message", done.text)
    return None


def judge(done: Done, found: Mapping[str, object], expected: Mapping[str, object]) -> Verdict:
    """Return the verdict on a command whose output should be `expected`, if it has no error."""
    if (end := crash(done)) is not None:
        return end
    if done.status != 0:
        return verdict(ERROR, first_error(done))
    differences = [name for name in sorted({*found, *expected}) if found.get(name) != expected.get(name)]
    if not differences:
        return verdict(SAME)
    shown = [
        f"{name}: {expected.get(name)!r:.300} expected, {found.get(name)!r:.300} found" for name in differences[:8]
    ]
    return verdict(WRONG, " ".join(done.words), *shown, done.text)


def first_error(done: Done) -> str:
    """Return the first line of the message."""
    lines = [line for line in done.text.splitlines() if CLEAR.match(line)]
    return lines[0] if lines else done.text[:200]
