"""How a file is written: its format, delimiter, quoting, encoding, decimal mark and header."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Literal

from manyheads.errors import DataError, by_caller

Quoting = Literal["minimal", "none"]

Decimal = Literal[".", ","]

NAMED_DELIMITERS = {"\\t": "\t", "tab": "\t"}
"""Names of the tab for a command line, where it is hard to type."""


@dataclass(frozen=True)
class TextFormat:
    """How a file is written. None: found in the file, or for the format from its ending.

    Attributes:
        delimiter: one character between the fields of a delimited file, or the columns of a CoNLL file.
        quoting: "minimal": a field may be in quotes. "none": a quote is a character like any other.
        encoding: a codec of Python. None: UTF-8, or UTF-16 or UTF-32 with a byte-order mark.
        decimal: the decimal mark of the numbers in the label column of a delimited file.
        header: whether the first line of a delimited file has the names of the columns. None: it has them unless
            `columns` are given.
        columns: the names of the columns, in order. If the file has a header, they replace its names.
        record: the name of the elements of an XML file that are records. None: the child elements of the root.
        format: the name of a format, whatever the ending of the file is.

    Raises:
        ValueError: An attribute is invalid.
    """

    delimiter: str | None = None
    quoting: Quoting = "minimal"
    encoding: str | None = None
    decimal: Decimal = "."
    header: bool | None = None
    columns: tuple[str, ...] | None = None
    format: str | None = None
    record: str | None = None

    def __post_init__(self) -> None:
        if self.delimiter is not None:
            check_delimiter(self.delimiter)
        if self.encoding is not None:
            check_encoding(self.encoding)
        if self.columns is not None:
            check_columns(self.columns)

    @property
    def has_header(self) -> bool:
        """Whether the first line of a delimited file has the names of its columns."""
        return self.columns is None if self.header is None else self.header

    def key(self) -> dict[str, object]:
        """Return the attributes as JSON values, for the key of a cache entry."""
        return asdict(self)


USUAL = TextFormat()
"""Everything is found in the file."""


def check_delimiter(delimiter: str) -> None:
    """Check a delimiter.

    Raises:
        ValueError: It is not one character, or is a quote or a line end.
    """
    if len(delimiter) != 1 or delimiter in '"\r\n\0':
        raise ValueError("a delimiter is one character, and neither a quote nor a line end")


def check_encoding(encoding: str) -> None:
    """Check the name of an encoding.

    Raises:
        ValueError: Python has no such text encoding.
    """
    try:
        "a\n".encode(encoding).decode(encoding)
    except (LookupError, UnicodeError, TypeError, ValueError) as error:
        raise ValueError(f"{encoding!r} is not a text encoding that Python knows") from error


def check_columns(columns: Sequence[str]) -> None:
    """Check the names of columns.

    Raises:
        ValueError: There is no name, or a name occurs twice.
    """
    named = [name for name in columns if name]
    if not named:
        raise ValueError("at least one column needs a name")
    if len(set(named)) < len(named):
        raise ValueError("a column is named twice")


def delimiter_of(typed: str) -> str:
    r"""Return the delimiter that was typed on a command line: `\t` and `tab` are the tab."""
    return NAMED_DELIMITERS.get(typed, typed)


_KEYS = "delimiter|quoting|encoding|decimal|columns|format"

_HINTS = {
    re.compile(rf'set ({_KEYS}) = "([^"]*)"'): (r"use --\1 \2", r'use text_format={"\1": "\2"}'),
    re.compile(rf"with the key ({_KEYS})"): (r"with --\1", r'with text_format={"\1": ...}'),
    re.compile("set header = false, or "): ("", 'use text_format={"header": False}, or '),
}
"""What hints of readers say about keys of a recipe, as options of the command line and as arguments in Python."""


def as_argument(hint: str) -> str:
    """Return a hint of a reader for a call whose arguments, and not the keys of a recipe, describe the file."""
    for said, (typed, called) in _HINTS.items():
        hint = said.sub(by_caller(typed, called), hint)
    return hint


@contextmanager
def naming_arguments() -> Iterator[None]:
    """Let errors of the block name the arguments that describe a file in place of the keys of a recipe."""
    try:
        yield
    except DataError as error:
        error.hint = None if error.hint is None else as_argument(error.hint)
        raise


HINT = "write the numbers of the file with one decimal mark, and without marks between thousands"

WITH_COMMA, WITH_POINT = re.compile(r"\s*[+-]?\d*,\d+\s*"), re.compile(r"\s*[+-]?\d*\.\d+\s*")


class PointError(ValueError):
    """A number has a decimal point, although its file has decimal commas. `hint`: what to do."""

    hint = HINT


def with_point(cell: str) -> str:
    """Return a cell with a decimal point if it is a number with a decimal comma. Other text is unchanged.

    Raises:
        PointError: It is a number with a decimal point.
    """
    if WITH_POINT.fullmatch(cell):
        raise PointError(f"the number {cell.strip()!r} has a point, and decimal is ','")
    return cell.replace(",", ".") if WITH_COMMA.fullmatch(cell) else cell
