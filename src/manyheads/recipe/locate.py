"""Find the line of a key in a TOML text, for messages. The TOML parser does not record positions."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from manyheads.recipe.toml import TomlError, parse

TABLE = re.compile(r"^\s*\[\s*([^\[\]]+?)\s*\]\s*(#.*)?$")
KEY = re.compile(r"^\s*((?:[\w-]+|\"[^\"]*\"|'[^']*')(?:\s*\.\s*(?:[\w-]+|\"[^\"]*\"|'[^']*'))*)\s*=")


def line_of(text: str, key: Sequence[str]) -> int | None:
    """Return the line of a key, counted from 1.

    If the key is absent, return the line of the innermost table or value around it. None if that is absent too.
    """
    best, best_depth = None, 0
    table: tuple[str, ...] = ()
    for number, line in enumerate(text.splitlines(), start=1):
        if match := TABLE.match(line):
            table = _parts(match[1])
            path = table
        elif match := KEY.match(line):
            path = (*table, *_parts(match[1]))
        else:
            continue
        depth = agreement(path, key)
        if (depth == len(path) and depth > best_depth) or (depth == len(key) and best_depth < depth):
            best, best_depth = number, depth
    return best


def agreement(path: Sequence[str], key: Sequence[str]) -> int:
    """Return the number of leading parts that are equal."""
    count = 0
    for left, right in zip(path, key, strict=False):
        if left != right:
            break
        count += 1
    return count


def _parts(dotted: str) -> tuple[str, ...]:
    """Split a dotted TOML key into its parts. Return no parts if it is not a valid key."""
    try:
        at: Any = parse(f"{dotted} = 0")
    except TomlError:
        return ()
    parts = []
    while isinstance(at, dict):
        ((part, at),) = at.items()
        parts.append(part)
    return tuple(parts)
