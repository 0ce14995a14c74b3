"""Comparing the output that a page prints with the output of the block before it."""

from __future__ import annotations

import re

NUMBER = re.compile(r"(?:(?<![\w.])[-+\u2212])?\.?\d+(?:[.,:]\d+)*(?:e[-+]?\d+)?")
BOXES = re.compile(r"[\u2500-\u257f\u2580-\u259f]+")
ANSI = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")
SKIP = "..."


def masked(line: str) -> str:
    """A line with every number as `#`, without box drawing and colours, and with single spaces."""
    line = NUMBER.sub("#", BOXES.sub(" ", ANSI.sub("", line)))
    return " ".join(line.split())


def missing_line(expected: str, output: str) -> str | None:
    """The first line of `expected` that `output` does not contain in its place, or None where all are there.

    Lines are compared masked. A line `...` stands for any lines; `...` within a line stands for any text. Without it,
    further lines of the output between two expected lines are skipped as well.
    """
    lines = iter([masked(line) for line in output.splitlines()])
    for line in expected.splitlines():
        wanted = masked(line)
        if wanted in ("", SKIP):
            continue
        pattern = re.compile(".*".join(map(re.escape, wanted.split(SKIP))))
        if not any(pattern.fullmatch(found) for found in lines):
            return line
    return None
