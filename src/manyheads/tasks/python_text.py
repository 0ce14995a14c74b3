"""Lists that are written as text in the way of Python or of numpy, as pandas writes them to CSV files."""

from __future__ import annotations

import json
import re

_TOKEN = re.compile(
    r"""\s*(?:(?P<text>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")|(?P<number>-?\d+(?:\.\d*)?(?:e[+-]?\d+)?)|"""
    r"""(?P<name>True|False|None|nan)|(?P<mark>[][(){},:]))""",
    re.DOTALL,
)

_ESCAPE = re.compile(r"\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|U([0-9a-f]{8})|(.))", re.DOTALL)

_ESCAPED = {"n": "\n", "t": "\t", "r": "\r", "\\": "\\", "'": "'", '"': '"'}

_NAMES = {"True": "true", "False": "false", "None": "null", "nan": "null"}

_OPEN = ("", "[", "{", ",", ":")
"""What is before an item. Between two items without a comma is one in JSON: numpy writes `['a' 'b']`."""


def python_list(text: str) -> list[object] | None:
    """Return the list that a text has in the way of Python or of numpy. None for another text.

    Its items are texts, numbers, True, False, None, and lists, tuples and dicts of these. Tuples become lists.
    """
    if not (text.startswith("[") and text.endswith("]")):
        return None
    parts: list[str] = [""]
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            return None
        place = match.end()
        part = _as_json(match)
        if part in ("]", "}") and parts[-1] == ",":
            parts.pop()
        elif parts[-1] not in _OPEN and part not in ("]", "}", ",", ":"):
            parts.append(",")
        parts.append(part)
    try:
        found = json.loads("".join(parts))
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, list) else None


def _as_json(token: re.Match[str]) -> str:
    """Return a token as JSON writes it."""
    if token["text"] is not None:
        return json.dumps(_ESCAPE.sub(_unescaped, token["text"][1:-1]))
    if token["number"] is not None:
        return token["number"] if token["number"].lstrip("-").isdecimal() else repr(float(token["number"]))
    return _NAMES[token["name"]] if token["name"] is not None else token["mark"].translate({40: "[", 41: "]"})


def _unescaped(escape: re.Match[str]) -> str:
    code = escape[1] or escape[2] or escape[3]
    if code is not None:
        return chr(int(code, 16)) if int(code, 16) <= 0x10FFFF else escape[0]
    return _ESCAPED.get(escape[4], escape[0])
