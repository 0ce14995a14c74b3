"""Delimited text such as TSV and CSV. The delimiter is found in the first records; every bad row has its line."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path

from manyheads.data.reading.binary import uncompressed_name
from manyheads.data.reading.decimals import PointError, with_point
from manyheads.data.reading.dialect import (
    COMPARED,
    SAMPLE_CHARACTERS,
    SAMPLE_LINES,
    Sample,
    data_in_header,
    guess_delimiter,
)
from manyheads.data.reading.lines import Line, Lookahead, read_lines
from manyheads.data.reading.records import BrokenQuotingError, ends_open, fields_of
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError

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
            fields = fields_of([first.text, *(line.text for line in spanned)], self.delimiter, quotes=self.quotes)
        except (BrokenQuotingError, csv.Error) as error:
            place = f" (column {error.column})" if isinstance(error, BrokenQuotingError) else ""
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
            BrokenQuotingError: A closing quote on the first line is followed by other text than a delimiter.
            csv.Error: That is so on a further line, or a quote is not closed.
        """
        if not self.quotes or '"' not in first.text or not ends_open(first.text, self.delimiter, quoted=False):
            return []
        for count, line in enumerate(ahead.ahead(), start=1):
            if line.fault is not None:
                break
            try:
                if not ends_open(line.text, self.delimiter, quoted=True):
                    return list(islice(ahead.ahead(), count))
            except BrokenQuotingError as error:
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
        return fields_of([line.text], self.delimiter, quotes=False)

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
            delimiter = guess_delimiter(sample, ending, wanted, quotes=self.quotes, columns=count)
        records = sample.records(delimiter, COMPARED + 1, quotes=self.quotes)
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
        reason = data_in_header(header, [record.fields for record in records[1:] if record.fields is not None])
        if reason is not None:
            self.warnings = (f"{self._path}:{number}: the header looks like a row of data: {reason}; {HEADER_HINT}",)
        return self._checked(header, number), delimiter

    def _sample(self) -> tuple[Sample, int]:
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
            if len(lines) >= SAMPLE_LINES or size >= SAMPLE_CHARACTERS:
                whole = False
                break
        if not lines:
            hint = "check that the file was written completely"
            raise DataError("the file is empty", where=str(self._path), allowed="a header, then rows", hint=hint)
        return Sample(lines, whole), number

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
