"""Objects of JSON as rows: what is not a row, with the reason."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from manyheads.data.reading.rows import BadRow, Row

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
