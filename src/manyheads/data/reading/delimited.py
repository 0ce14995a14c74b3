"""Delimited text such as TSV and CSV. Every bad row has its line.

The delimiter and the header are found in the first records. Quoting follows Python's csv module, strictly.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from manyheads.data.reading.lines import Line, Lookahead, read_lines, uncompressed_name
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, PointError, TextFormat, with_point
from manyheads.errors import DataError

csv.field_size_limit(sys.maxsize)


class _BrokenQuotingError(ValueError):
    """The quoting of a record is broken: a character follows a closing quote. `column`: its place, from 1."""

    def __init__(self, column: int, expected: str) -> None:
        super().__init__(f"{expected!r} expected after '\"'")
        self.column = column


def _ends_open(text: str, delimiter: str, *, quoted: bool) -> bool:
    """Return whether a quoted field is open at the end of a line. `quoted`: whether one is open at its start.

    Raises:
        _BrokenQuotingError: A closing quote is followed by other text than a delimiter.
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
                raise _BrokenQuotingError(place + 1, delimiter)
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


def _fields_of(lines: Sequence[str], delimiter: str, *, quotes: bool) -> list[str]:
    """Return the fields of the record on these lines. Without `quotes`, a quote is a character like any other.

    Raises:
        csv.Error: A line ends within a field that is not quoted.
    """
    if not quotes:
        return lines[0].rstrip("\r\n").split(delimiter)
    return next(csv.reader(lines, delimiter=delimiter, strict=True))


DELIMITERS = "\t,;|"
"""The delimiters that are tried."""

BY_ENDING = {".tsv": "\t", ".tab": "\t", ".csv": ","}

TRIED = 20
"""Records after the header that must have the header's number of fields."""

_COMPARED = 200
"""Records after the header that are searched for the cells of the header."""

_SAMPLE_LINES, _SAMPLE_CHARACTERS = 1000, 1 << 19
"""The beginning of a file in which the delimiter is found."""

WITHOUT_END = -1
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
class _Sample:
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
            if used == WITHOUT_END and not self.whole:
                break
            fields = None
            if used > 0:
                try:
                    fields = _fields_of(self.lines[place : place + used], delimiter, quotes=quotes)
                except csv.Error:
                    used = 1
            found.append(Record(fields, max(1, used), self.lines[place]))
            place += max(1, used)
        return found


def _guess_delimiter(sample: _Sample, path: Path, wanted: Sequence[str], *, quotes: bool, columns: int | None) -> str:
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
        self, sample: _Sample, delimiter: str, wanted: Sequence[str], quotes: bool, columns: int | None
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


def _data_in_header(header: Sequence[str], records: Sequence[Sequence[str]]) -> str | None:
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
    """Return the number of lines of the record that begins at `place`. 0: its quoting is broken; or `WITHOUT_END`."""
    quoted = False
    for used, text in enumerate(lines[place:], start=1):
        try:
            quoted = _ends_open(text, delimiter, quoted=quoted)
        except _BrokenQuotingError:
            return 0
        if not quoted:
            return used
    return WITHOUT_END


UNCLOSED = "a quote is opened and not closed"

QUOTING_HINT = 'close the quotes; if a quote is a character like any other in this file, set quoting = "none"'

HEADER_HINT = "if the first line is data, set header = false, or name the columns with the key columns"


class Delimited:
    """A delimited file. Its first line is a header, unless `text` says that it has none.

    If the quoting of a record is broken, only its first line is a bad row. Reading continues on the next line.

    A quoted field may span any number of lines. If the first and the last line of such a record look like rows of
    their own, a quote was probably left open in one row and another one closed it. Both lines are then bad rows. A
    line looks like a row if it has the header's number of fields and a cell in the column `label` that another row
    has. Without a label column in the file, the record is a row with a warning.

    Args:
        path: the file.
        text: how the file is written.
        wanted: columns that the file must have. They decide between delimiters.
        label: the column of the labels that will be read, or None.

    Raises:
        DataError: The file has no valid header.
    """

    typed = False

    def __init__(
        self, path: Path, text: TextFormat = USUAL, *, wanted: Sequence[str] = (), label: str | None = None
    ) -> None:
        self._path, self._text = path, text
        self.quotes = text.quoting == "minimal"
        self.name = str(path)
        self.warnings: tuple[str, ...] = ()
        self._first = 0
        self.header, self.delimiter = self._read_header(wanted)
        self.columns = tuple(column for column in self.header if column)
        self._label = self.header.index(label) if label in self.columns else None
        self._labels: set[str] | None = None
        self.ambiguous = False
        """Whether a record was read that may be two rows, which the label column decides."""

    @property
    def form(self) -> Mapping[str, object]:
        """The format, the delimiter that was found, and the place of the label."""
        return {**self._text.key(), "delimiter": self.delimiter, "names": self.header, "label": self._label}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the rows after the header. Blank lines are skipped."""
        return self._rows(judged=True)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _rows(self, *, judged: bool) -> Iterator[Row | BadRow]:
        """Yield the rows. If not `judged`, leave out the records that may be two rows."""
        lines = (line for line in read_lines(self._path, self._text.encoding) if line.number > self._first)
        refused: dict[int, str] = {}
        with Lookahead(lines) as ahead:
            while (line := ahead.take()) is not None:
                if line.fault is not None:
                    yield self._bad(line, line.fault, line.hint)
                elif line.number in refused:
                    yield self._bad(line, refused[line.number], QUOTING_HINT)
                elif line.text.strip("\r\n"):
                    row = self._record(line, ahead, refused if judged else None)
                    if row is not None:
                        yield row

    def _record(self, first: Line, ahead: Lookahead, refused: dict[int, str] | None) -> Row | BadRow | None:
        """Return the record that begins on a line. The further lines of a valid record are taken.

        `refused`: receives lines that will be bad rows, with the reason. If it is None, return None for a record that
        may be two rows.
        """
        try:
            spanned = self._lines_of(first, ahead)
            fields = _fields_of([first.text, *(line.text for line in spanned)], self.delimiter, quotes=self.quotes)
        except (_BrokenQuotingError, csv.Error) as error:
            place = f" (column {error.column})" if isinstance(error, _BrokenQuotingError) else ""
            return self._bad(first, f"broken quoting: {error}{place}", QUOTING_HINT)
        warning = None
        if spanned:
            last = spanned[-1]
            if len(fields) != len(self.header) and self._look_like_rows(first):
                return self._bad(first, f"{self._count(fields)} (a quoted field ends on line {last.number})")
            if len(fields) == len(self.header) and self._look_like_rows(first, last):
                self.ambiguous = True
                span = f"a quoted field spans lines {first.number} to {last.number}, and both look like rows"
                if refused is not None and self._label is not None and self._labels_occur(first, last):
                    refused[last.number] = span
                    return self._bad(first, span, QUOTING_HINT)
                warning = f"{span}: they are read as one row" if self._label is None else None
                fields = fields if refused is not None else []
            ahead.drop(len(spanned))
        return self._row(first, spanned, fields, warning) if fields else None

    def _row(self, first: Line, spanned: Sequence[Line], fields: list[str], warning: str | None) -> Row | BadRow:
        """Return a record as a row, or as a bad row if its number of fields or its decimal mark is wrong."""
        if len(fields) != len(self.header):
            reason = self._count(fields)
            if spanned:
                reason += f" (the record ends on line {spanned[-1].number})"
            hint = QUOTING_HINT if self.quotes and '"' in first.text else None
            return BadRow(self.name, first.number, reason, hint, tuple(fields))
        values: dict[str, object] = {name: cell for name, cell in zip(self.header, fields, strict=True) if name}
        if self._text.decimal == "," and self._label is not None:
            try:
                values[self.header[self._label]] = with_point(fields[self._label])
            except PointError as error:
                return BadRow(self.name, first.number, str(error), error.hint, tuple(fields))
        return Row(first.number, values, tuple(fields), warning)

    def _lines_of(self, first: Line, ahead: Lookahead) -> list[Line]:
        """Return the further lines of a record, without taking them. They are kept only if the quote is closed.

        Raises:
            _BrokenQuotingError: A closing quote on the first line is followed by other text than a delimiter.
            csv.Error: That is so on a further line, or a quote is not closed.
        """
        if not self.quotes or '"' not in first.text or not _ends_open(first.text, self.delimiter, quoted=False):
            return []
        for count, line in enumerate(ahead.ahead(), start=1):
            if line.fault is not None:
                break
            try:
                if not _ends_open(line.text, self.delimiter, quoted=True):
                    return list(islice(ahead.ahead(), count))
            except _BrokenQuotingError as error:
                raise csv.Error(f"{error} on line {line.number}, column {error.column}") from error
        raise csv.Error(UNCLOSED)

    def _look_like_rows(self, *lines: Line) -> bool:
        """Whether each of these lines has the header's number of fields, if its quotes are read as characters."""
        return len(self.header) > 1 and all(len(self._literal(line)) == len(self.header) for line in lines)

    def _labels_occur(self, *lines: Line) -> bool:
        """Whether other rows have the labels of these lines."""
        if self._label is None:
            return False
        if self._labels is None:
            rows = (row for row in self._rows(judged=False) if isinstance(row, Row) and row.fields is not None)
            self._labels = {_bare(row.fields[self._label]) for row in rows if row.fields}
        return all(_bare(self._literal(line)[self._label]) in self._labels for line in lines)

    def _literal(self, line: Line) -> list[str]:
        return _fields_of([line.text], self.delimiter, quotes=False)

    def _count(self, fields: Sequence[str]) -> str:
        count = "1 field" if len(fields) == 1 else f"{len(fields)} fields"
        whose = "the header has" if self._text.has_header else "the columns are"
        return f"{count} where {whose} {len(self.header)}"

    def _bad(self, line: Line, reason: str, hint: str | None = None) -> BadRow:
        return BadRow(self.name, line.number, reason, hint, (line.text.rstrip("\r\n"),))

    def _read_header(self, wanted: Sequence[str]) -> tuple[tuple[str, ...], str]:
        """Return the names of the columns and the delimiter. Find out where the rows begin."""
        sample, number = self._sample()
        text, given = self._text, self._text.columns
        delimiter = text.delimiter
        if delimiter is None:
            ending = uncompressed_name(self._path)
            count = len(given) if given is not None and not text.has_header else None
            delimiter = _guess_delimiter(sample, ending, wanted, quotes=self.quotes, columns=count)
        records = sample.records(delimiter, _COMPARED + 1, quotes=self.quotes)
        first, used = (records[0].fields, records[0].used) if records else (None, 1)
        if not text.has_header:
            names = given or tuple(str(place) for place in range(1, len(first or ()) + 1))
            return self._checked(names, number), delimiter
        if first is None:
            hint = "correct the quotes in the header"
            where = f"{self._path}:{number}"
            raise DataError("the header cannot be read", where=where, found=sample.lines[0].strip(), hint=hint)
        header = tuple(name.strip() for name in first)
        self._first = number + used - 1
        if given is not None:
            return self._checked(given, number), delimiter
        reason = _data_in_header(header, [record.fields for record in records[1:] if record.fields is not None])
        if reason is not None:
            self.warnings = (f"{self._path}:{number}: the header looks like a row of data: {reason}; {HEADER_HINT}",)
        return self._checked(header, number), delimiter

    def _sample(self) -> tuple[_Sample, int]:
        """Return the beginning of the file, and the line of its first record."""
        lines: list[str] = []
        size, number, whole = 0, 0, True
        for line in read_lines(self._path, self._text.encoding):
            if not lines and not line.text.strip():
                continue
            if line.fault is not None and not lines and self._text.has_header:
                hint = line.hint or "save the file as UTF-8 text"
                where = f"{self._path}:{line.number}"
                raise DataError("the header cannot be read", where=where, found=line.fault, hint=hint)
            number = number or line.number
            if line.fault is None:
                lines.append(line.text)
                size += len(line.text)
            if len(lines) >= _SAMPLE_LINES or size >= _SAMPLE_CHARACTERS:
                whole = False
                break
        if not lines:
            hint = "check that the file was written completely"
            raise DataError("the file is empty", where=str(self._path), allowed="a header, then rows", hint=hint)
        return _Sample(lines, whole), number

    def _checked(self, names: tuple[str, ...], number: int) -> tuple[str, ...]:
        named = [name for name in names if name]
        duplicates = sorted({name for name in named if named.count(name) > 1})
        if duplicates:
            where, found = f"{self._path}:{number}", ", ".join(duplicates)
            hint = f"rename one of the columns; {HEADER_HINT}"
            raise DataError("the header has a column twice", where=where, found=found, hint=hint)
        return names


def _bare(cell: str) -> str:
    return cell.strip().strip('"').strip()
