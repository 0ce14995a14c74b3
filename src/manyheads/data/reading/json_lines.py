"""JSON lines: one JSON object per line; and objects of JSON as rows, with the reason if something is not a row."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.data.reading.lines import Line, read_lines
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError

INSPECTED = 100
"""Objects whose keys are the columns. One object is not enough, because objects may omit keys without a value."""


class JsonLines:
    """A file of JSON objects. Its columns are the keys of its first objects, and the `wanted` keys of later ones.

    Raises:
        DataError: No line is a JSON object with a key.
    """

    typed = True
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, text: TextFormat = USUAL, *, wanted: tuple[str, ...] = ()) -> None:
        self._path, self._encoding = path, text.encoding
        self.name = str(path)
        objects = (row for row in self.rows() if isinstance(row, Row))
        found = dict.fromkeys(key for row in islice(objects, INSPECTED) for key in row.values)
        missing = {column for column in wanted if column not in found}
        while missing and (row := next(objects, None)) is not None:
            found |= dict.fromkeys(column for column in wanted if column in missing and column in row.values)
            missing -= found.keys()
        self.columns = tuple(found)
        if not self.columns:
            bad = next((row for row in self.rows() if isinstance(row, BadRow)), None)
            what, hint = "no line of the file is a JSON object with a key", "write one JSON object per line"
            found_text = None if bad is None else str(bad)
            raise DataError(what, where=str(path), found=found_text, hint=bad.hint if bad and bad.hint else hint)

    @property
    def form(self) -> Mapping[str, object]:
        """The encoding."""
        return {"encoding": self._encoding}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the object of each line. Blank lines are skipped."""
        for line in read_lines(self._path, self._encoding):
            if line.text.strip() or line.fault:
                yield self._row(line)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _row(self, line: Line) -> Row | BadRow:
        text = line.text.rstrip("\r\n")
        if line.fault is not None:
            return BadRow(self.name, line.number, line.fault, line.hint, (text,))
        try:
            content = json.loads(line.text)
        except (ValueError, RecursionError) as error:
            return BadRow(self.name, line.number, f"not valid JSON: {error}", None, (text,))
        return row_of(content, self.name, line.number, text)


JSON_TYPES = {"list": "a list", "str": "a string", "int": "a number", "float": "a number", "bool": "a boolean"}
"""The names of Python's types in messages. None is "null"."""

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")


def row_of(content: Any, source: str, line: int, text: str) -> Row | BadRow:
    """Return a decoded JSON value as a row, or as a bad row if it is not an object or has invalid text.

    `text`: the value as it is written in the file.
    """
    if not isinstance(content, dict):
        found = JSON_TYPES.get(type(content).__name__, "null")
        return BadRow(source, line, f"{found} where a JSON object is expected", None, (text,))
    if any(LONE_SURROGATE.search(part) for part in _strings(content)):
        return BadRow(source, line, "an invalid character: half of a surrogate pair", None, (text,))
    return Row(line, content)


def _strings(content: Any) -> Iterator[str]:
    """Yield the strings of a decoded value, at any depth. JSON may be nested more deeply than Python can recurse."""
    waiting = [content]
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            yield each
        elif isinstance(each, dict):
            waiting += [*each.keys(), *each.values()]
        elif isinstance(each, list):
            waiting += each
