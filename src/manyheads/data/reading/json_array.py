"""A JSON file with one array of objects. It is in memory while it is read."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from manyheads.data.reading.json_lines import JsonLines, row_of
from manyheads.data.reading.lines import read_lines
from manyheads.data.reading.rows import BadRow, Row, Source, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError

BLANK = re.compile(r"[ \t\r\n]*")


def open_json(path: Path, text: TextFormat = USUAL, *, wanted: tuple[str, ...] = ()) -> Source:
    """Open a .json file: an array of objects, or JSON lines.

    Raises:
        DataError: The file is neither.
    """
    start = next((line.text.strip() for line in read_lines(path, text.encoding) if line.text.strip()), "")
    return JsonArray(path, text) if start.startswith("[") else JsonLines(path, text, wanted=wanted)


class JsonArray:
    """An array of JSON objects. Its columns are the keys of all objects. The line of a row is where it begins.

    Raises:
        DataError: The array is not valid JSON or has no object with a key. After a mistake in the array it is unknown
            where the next object begins, so no part of the file is used.
    """

    typed = True
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, text: TextFormat = USUAL) -> None:
        self._path, self._encoding = path, text.encoding
        self.name = str(path)
        self.columns = tuple(dict.fromkeys(key for row in self.rows() if isinstance(row, Row) for key in row.values))
        if not self.columns:
            what, hint = (
                "no item of the array is a JSON object with a key",
                'write an array of objects, such as [{"text": "...", "label": "..."}]',
            )
            raise DataError(what, where=str(path), hint=hint)

    @property
    def form(self) -> Mapping[str, object]:
        """The encoding."""
        return {"encoding": self._encoding}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the items of the array."""
        text = self._read()
        decode = json.JSONDecoder().raw_decode
        place, line = _after_blank(text, _after_blank(text, 0) + 1), 1
        counted = 0
        if text.startswith("]", place):
            place += 1
        else:
            while True:
                line += text.count("\n", counted, place)
                counted = place
                try:
                    content, end = decode(text, place)
                except (ValueError, RecursionError) as error:
                    raise self._invalid(line, str(error)) from error
                yield row_of(content, self.name, line, text[place:end])
                place = _after_blank(text, end)
                mark = text[place : place + 1]
                place = _after_blank(text, place + 1)
                if mark == "]":
                    break
                if mark != ",":
                    line += text.count("\n", counted, place)
                    raise self._invalid(line, f"{mark!r} where ',' or ']' is expected" if mark else "the file ends")
        if place < len(text):
            raise self._invalid(text.count("\n", 0, place) + 1, "text after the end of the array")

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _read(self) -> str:
        parts = []
        for line in read_lines(self._path, self._encoding):
            if line.fault is not None:
                raise self._invalid(line.number, line.fault, line.hint)
            parts.append(line.text)
        return "".join(parts)

    def _invalid(self, line: int, found: str, hint: str | None = None) -> DataError:
        what = "the file is not a valid array of JSON"
        return DataError(
            what,
            where=f"{self.name}:{line}",
            found=found,
            hint=hint or "correct the file, or write one JSON object per line to a file that ends in .jsonl",
        )


def _after_blank(text: str, place: int) -> int:
    match = BLANK.match(text, place)
    return place if match is None else match.end()
