"""TOML as plain values, with one type of error, the lines of its keys, and the schemas that editors check it with."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from enum import StrEnum
from importlib.resources import files
from typing import Any

DEEPEST = 32
"""Levels of tables and lists. No key of a recipe or a study has more than a few."""


class Noun(StrEnum):
    """A kind of file that has a JSON Schema."""

    RECIPE = "recipe"
    STUDY = "study"

    @property
    def file_name(self) -> str:
        """The name of its schema file."""
        return f"manyheads.{self}.schema.json"

    @property
    def schema(self) -> str:
        """The schema file of the package. The first line of a TOML file names it: `#:schema ./FILE`."""
        return (files("manyheads") / "schemas" / self.file_name).read_text(encoding="utf-8")


class TomlError(ValueError):
    """A text is not TOML, or has values that no recipe has: numbers of thousands of digits, hundreds of levels."""


def parse(text: str) -> dict[str, Any]:
    """Return the content of a TOML text.

    Raises:
        TomlError: It is not valid, or it is nested too deeply.
    """
    try:
        content = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise TomlError(str(error)) from error
    except RecursionError as error:
        raise TomlError(f"tables or lists are nested more than {DEEPEST} levels deep") from error
    except ValueError as error:
        # Python does not convert numbers of more than some thousand digits.
        raise TomlError(f"a value cannot be read: {error}") from error
    if _is_deeper(content, DEEPEST):
        raise TomlError(f"tables or lists are nested more than {DEEPEST} levels deep")
    return content


def _is_deeper(content: Any, levels: int) -> bool:
    inside = [content]
    for _ in range(levels):
        lists = [
            each.values() if isinstance(each, Mapping) else each for each in inside if isinstance(each, dict | list)
        ]
        inside = [value for each in lists for value in each]
    return any(isinstance(each, dict | list) for each in inside)


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


def key_parts(dotted: str) -> tuple[str, ...]:
    """Split a dotted TOML key into its parts.

    Raises:
        TomlError: It is not a valid key.
    """
    at: Any = parse(f"{dotted} = 0")
    parts = []
    while isinstance(at, dict):
        ((part, at),) = at.items()
        parts.append(part)
    return tuple(parts)


def _parts(dotted: str) -> tuple[str, ...]:
    """Return the parts of a dotted key, or none if it is not valid."""
    try:
        return key_parts(dotted)
    except TomlError:
        return ()
