"""Objects of JSON as rows: what is not a row, with the reason."""

from __future__ import annotations

import re
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
    if any(LONE_SURROGATE.search(part) for item in content.items() for part in item if isinstance(part, str)):
        return BadRow(source, line, "an invalid character: half of a surrogate pair", None, (text,))
    return Row(line, content)
