"""Records of delimited text: where a record ends, and its fields. Quoting follows Python's csv module, strictly."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence

csv.field_size_limit(sys.maxsize)


class BrokenQuotingError(ValueError):
    """The quoting of a record is broken: a character follows a closing quote. `column`: its place, from 1."""

    def __init__(self, column: int, expected: str) -> None:
        super().__init__(f"{expected!r} expected after '\"'")
        self.column = column


def ends_open(text: str, delimiter: str, *, quoted: bool) -> bool:
    """Return whether a quoted field is open at the end of a line. `quoted`: whether one is open at its start.

    Raises:
        BrokenQuotingError: A closing quote is followed by other text than a delimiter.
    """
    place = 0
    while True:
        if quoted:
            place = text.find('"', place)
            if place < 0:
                return True
            if text.startswith('""', place):
                place += 2
                continue
            place += 1
            if place >= len(text) or text[place] in "\r\n":
                return False
            if text[place] != delimiter:
                raise BrokenQuotingError(place + 1, delimiter)
            place += 1
            quoted = False
        elif text.startswith('"', place):
            place += 1
            quoted = True
        else:
            place = text.find(delimiter, place)
            if place < 0:
                return False
            place += 1


def fields_of(lines: Sequence[str], delimiter: str, *, quotes: bool) -> list[str]:
    """Return the fields of the record on these lines. Without `quotes`, a quote is a character like any other.

    Raises:
        csv.Error: A line ends within a field that is not quoted.
    """
    if not quotes:
        return lines[0].rstrip("\r\n").split(delimiter)
    return next(csv.reader(lines, delimiter=delimiter, strict=True))
