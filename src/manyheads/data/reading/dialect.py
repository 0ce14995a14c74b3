"""Find the delimiter and the header of a delimited file in its first records."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from manyheads.data.reading.records import BrokenQuotingError, ends_open, fields_of

DELIMITERS = "\t,;|"
"""The delimiters that are tried."""

BY_ENDING = {".tsv": "\t", ".tab": "\t", ".csv": ","}

TRIED = 20
"""Records after the header that must have the header's number of fields."""

COMPARED = 200
"""Records after the header that are searched for the cells of the header."""

SAMPLE_LINES, SAMPLE_CHARACTERS = 1000, 1 << 19
"""The beginning of a file in which the delimiter is found."""

UNCLOSED = -1
"""In place of a number of lines: the record does not end within the sample."""

SHORT, PROSE = 2, 4
"""A cell of at most `SHORT` characters is short. One of at least `PROSE` words is prose."""


@dataclass(frozen=True)
class Record:
    """A record: its fields, or None if the quoting is broken; its number of lines; and the text of the first one."""

    fields: list[str] | None
    used: int
    text: str

    def width(self, delimiter: str) -> int:
        """Return the number of fields. If the quoting is broken, quotes are counted as characters."""
        return len(self.text.split(delimiter) if self.fields is None else self.fields)


@dataclass(frozen=True)
class Sample:
    """The first lines of a file, from the first that is not blank. `whole`: whether the file has no others."""

    lines: Sequence[str]
    whole: bool

    def records(self, delimiter: str, count: int, *, quotes: bool) -> list[Record]:
        """Return the first records."""
        found: list[Record] = []
        place = 0
        while place < len(self.lines) and len(found) < count:
            if not self.lines[place].strip("\r\n"):
                place += 1
                continue
            used = _lines_used(self.lines, place, delimiter) if quotes else 1
            if used == UNCLOSED and not self.whole:
                break
            fields = None
            if used > 0:
                try:
                    fields = fields_of(self.lines[place : place + used], delimiter, quotes=quotes)
                except csv.Error:
                    used = 1
            found.append(Record(fields, max(1, used), self.lines[place]))
            place += max(1, used)
        return found


def guess_delimiter(sample: Sample, path: Path, wanted: Sequence[str], *, quotes: bool, columns: int | None) -> str:
    """Return the delimiter of a file whose first record is its header.

    A delimiter fits if all `wanted` columns exist and the next `TRIED` records have the header's number of fields. Of
    several, the one that is not followed by a space in the header is returned; then the one with the most fields; then
    the one of the file's ending. If none fits, the wanted columns decide, then the number of records that agree.

    Args:
        sample: the beginning of the file.
        path: the file, without the ending of a compression.
        wanted: names of columns that the file must have.
        quotes: whether a field may be quoted.
        columns: the number of columns if the file has no header. Its first record is then data.
    """
    usual = BY_ENDING.get(path.suffix.lower())
    tried = [_Trial(sample, mark, wanted, quotes, columns) for mark in DELIMITERS]
    split = [each for each in tried if each.fields > 1]
    single = [each for each in tried if each.fields == 1]
    whole = [each for each in single if each.agreement == 1 and each.records > 1]
    complete = [each for each in split if each.complete]
    fitting = (
        [each for each in complete if each.agreement == 1]
        or [each for each in complete if each.agreement > 0]
        or ([each for each in single if each.complete] or complete if wanted else [])
        or [each for each in split if each.agreement > 0]
        or [each for each in tried if each.broken]
        or whole
        or split
        or single
    )
    best = max(
        fitting, key=lambda each: (each.complete, each.agreement, each.tight, each.fields, each.delimiter == usual)
    )
    return best.delimiter


class _Trial:
    """How a file reads with one delimiter."""

    def __init__(
        self, sample: Sample, delimiter: str, wanted: Sequence[str], quotes: bool, columns: int | None
    ) -> None:
        self.delimiter = delimiter
        records = sample.records(delimiter, TRIED + 1, quotes=quotes)
        header = (records[0].fields if records else None) or []
        rest = records[1:] if columns is None else records
        first = "".join(sample.lines[: records[0].used]) if records else sample.lines[0]
        self.broken = not header and delimiter in first
        self.fields = (len(header) or int(not self.broken)) if columns is None else columns
        self.agreement = sum(record.width(delimiter) == self.fields for record in rest) / max(1, len(rest))
        self.records = len(rest)
        if not rest:
            self.agreement = 1.0
        names = {name.strip() for name in header}
        self.complete = bool(header) and (columns is not None or names.issuperset(wanted))
        self.tight = f"{delimiter} " not in first


def data_in_header(header: Sequence[str], records: Sequence[Sequence[str]]) -> str | None:
    """Return the reason why a header looks like a row of data, or None.

    A cell of the header occurs below it in the same column; or one is prose as the cells below it are, and another is
    short, a number, or prose too.
    """
    cells = [name.strip() for name in header]
    below = [[cell.strip() for cell in record] for record in records if len(record) == len(cells)]
    below = [record for record in below if record != cells]
    for place, cell in enumerate(cells):
        if cell and any(record[place] == cell for record in below):
            return f"{cell!r} is also a cell below it"
    prose = [place for place, cell in enumerate(cells) if len(cell.split()) >= PROSE]
    prose = [place for place in prose if below and _mostly_prose([record[place] for record in below])]
    others = [cell for place, cell in enumerate(cells) if cell and place not in prose]
    if prose and (len(prose) > 1 or any(len(cell) <= SHORT or _is_number(cell) for cell in others)):
        return f"{cells[prose[0]]!r} is a text like those below it"
    return None


def _mostly_prose(cells: Sequence[str]) -> bool:
    return 2 * sum(len(cell.split()) >= PROSE for cell in cells) > len(cells)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _lines_used(lines: Sequence[str], place: int, delimiter: str) -> int:
    """Return the number of lines of the record that begins at `place`. 0: its quoting is broken; or `UNCLOSED`."""
    quoted = False
    for used, text in enumerate(lines[place:], start=1):
        try:
            quoted = ends_open(text, delimiter, quoted=quoted)
        except BrokenQuotingError:
            return 0
        if not quoted:
            return used
    return UNCLOSED
