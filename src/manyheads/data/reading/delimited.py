"""Delimited text such as TSV and CSV. The delimiter is detected in the header; every bad row has its line."""

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
"""Lines that a record may span. Without a limit, a quote that is never closed would include the rest of the file."""


class Delimited:
    """A delimited file with a header. Quoting follows Python's csv module in strict mode.

    If the quoting of a record is broken, only its first line is a bad row. Reading continues on the next line.

    Raises:
        DataError: The file has no valid header.
    """

    def __init__(self, path: Path) -> None:
        csv.field_size_limit(sys.maxsize)
        self._path = path
        self.name = str(path)
        self._header, self.delimiter, self._first = self._read_header()
        self.columns = tuple(column for column in self._header if column)

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the rows after the header. Blank lines are skipped."""
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
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _record(self, first: Line, ahead: deque[Line], lines: Iterator[Line]) -> Row | BadRow:
        """Return the record that begins on a line. The further lines of a valid record are removed from `ahead`.

        A record of several lines with a wrong number of fields is bad: a quote of another row closed its quote.
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
            count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
            reason = f"{count} where the header has {len(self._header)}"
            if len(taken) > 1:
                reason += f" (a quoted field ends on line {taken[-1].number})"
            return BadRow(self.name, first.number, reason)
        for _ in taken[1:]:
            ahead.popleft()
        return Row(first.number, {column: field for column, field in zip(self._header, fields, strict=True) if column})

    @staticmethod
    def _following(position: int, ahead: deque[Line], lines: Iterator[Line]) -> Line | None:
        """Return the line `position` lines after the first one, or None if the record must end before it."""
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
                hint = "save the file as UTF-8 text"
                where = f"{self._path}:{line.number}"
                raise DataError("the header cannot be read", where=where, found=line.fault, hint=hint)
            delimiter = max(DELIMITERS, key=line.text.count)
            try:
                header = next(csv.reader([line.text], delimiter=delimiter, strict=True))
            except csv.Error as error:
                hint = "correct the quotes in the header; it must be on one line"
                where = f"{self._path}:{line.number}"
                raise DataError("the header cannot be read", where=where, found=str(error), hint=hint) from error
            header = [name.strip() for name in header]
            self._check_header(header, line.number)
            return header, delimiter, line.number
        hint = "check that the file was written completely"
        raise DataError("the file is empty", where=str(self._path), allowed="a header, then rows", hint=hint)

    def _check_header(self, header: list[str], number: int) -> None:
        named = [name for name in header if name]
        duplicates = sorted({name for name in named if named.count(name) > 1})
        if duplicates:
            where, found = f"{self._path}:{number}", ", ".join(duplicates)
            raise DataError("the header has a column twice", where=where, found=found, hint="rename one of the columns")


def _broken(error: csv.Error, lines: int) -> str:
    """Return the reason why the quoting of a record is broken."""
    if "unexpected end" not in str(error):
        return f"broken quoting: {error}"
    within = f" within {LONGEST_RECORD} lines" if lines >= LONGEST_RECORD else ""
    return f"broken quoting: a quote is opened and not closed{within}"
