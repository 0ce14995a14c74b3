"""Delimited text: TSV, CSV and their like, the delimiter read from the header, every broken row with its line."""

from __future__ import annotations

import csv
import sys
from collections import deque
from collections.abc import Iterator
from pathlib import Path

from manyheads.data.reading.lines import Line, read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.errors import DataError

DELIMITERS = "\t,;|"

LONGEST_RECORD = 100
"""Lines that a record may span. A quote that is never closed would else swallow the rest of the file."""


class Delimited:
    """A file with a header. Quoting as the csv module has it, in strict mode.

    A record whose quoting is broken costs its first line alone: reading goes on at the next one.

    Raises:
        DataError: there is no header to read.
    """

    def __init__(self, path: Path) -> None:
        csv.field_size_limit(sys.maxsize)
        self._path = path
        self.name = str(path)
        self._header, self.delimiter, self._first = self._read_header()
        self.columns = tuple(column for column in self._header if column)

    def rows(self) -> Iterator[Row | BadRow]:
        """The records after the header; blank lines are passed over."""
        ahead: deque[Line] = deque()
        lines = (line for line in read_lines(self._path) if line.number > self._first)
        while True:
            line = ahead.popleft() if ahead else next(lines, None)
            if line is None:
                return
            if line.fault is not None:
                yield BadRow(self.name, line.number, line.fault)
            elif line.text.strip("\r\n"):
                yield self._record(line, ahead, lines)

    def fingerprint(self) -> str:
        """SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _record(self, first: Line, ahead: deque[Line], lines: Iterator[Line]) -> Row | BadRow:
        """The record that begins on a line; the lines it spans are taken from what is ahead, unless it is broken.

        A record of several lines with a wrong number of fields is broken too: its quote was closed by another row's.
        """
        taken = [first]

        def spanned() -> Iterator[str]:
            yield first.text
            while (following := self._following(len(taken), ahead, lines)) is not None:
                taken.append(following)
                yield following.text

        try:
            fields = next(csv.reader(spanned(), delimiter=self.delimiter, strict=True))
        except csv.Error as error:
            return BadRow(self.name, first.number, _broken(error, len(taken)))
        if len(fields) != len(self._header):
            reason = f"{len(fields)} fields where the header has {len(self._header)}"
            if len(taken) > 1:
                reason += f" (a quoted field reaches to line {taken[-1].number})"
            return BadRow(self.name, first.number, reason)
        for _ in taken[1:]:
            ahead.popleft()
        return Row(first.number, {column: field for column, field in zip(self._header, fields, strict=True) if column})

    @staticmethod
    def _following(position: int, ahead: deque[Line], lines: Iterator[Line]) -> Line | None:
        """The line `position` places after the first one, read ahead if need be; None where a record must not reach."""
        if position >= LONGEST_RECORD:
            return None
        if position > len(ahead):
            line = next(lines, None)
            if line is None:
                return None
            ahead.append(line)
        following = ahead[position - 1]
        return None if following.fault else following

    def _read_header(self) -> tuple[list[str], str, int]:
        for line in read_lines(self._path):
            if not line.text.strip():
                continue
            if line.fault is not None:
                raise DataError("the header cannot be read", where=f"{self._path}:{line.number}", found=line.fault)
            delimiter = max(DELIMITERS, key=line.text.count)
            try:
                header = next(csv.reader([line.text], delimiter=delimiter, strict=True))
            except csv.Error as error:
                raise DataError(
                    "the header cannot be read", where=f"{self._path}:{line.number}", found=str(error)
                ) from error
            header = [name.strip() for name in header]
            self._check_header(header, line.number)
            return header, delimiter, line.number
        raise DataError("the file is empty", where=str(self._path), allowed="a header, then rows")

    def _check_header(self, header: list[str], number: int) -> None:
        named = [name for name in header if name]
        twice = sorted({name for name in named if named.count(name) > 1})
        if twice:
            raise DataError("the header names a column twice", where=f"{self._path}:{number}", found=", ".join(twice))


def _broken(error: csv.Error, lines: int) -> str:
    """Why a record's quoting is broken, in a few words."""
    if "unexpected end" not in str(error):
        return f"broken quoting: {error}"
    within = f" within {LONGEST_RECORD} lines" if lines >= LONGEST_RECORD else ""
    return f"broken quoting: a quote is opened and not closed{within}"
