"""TOML as plain values. Whatever is wrong with a text, it is one kind of error."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

DEEPEST = 32
"""Levels of tables and lists. No key of a recipe or a study has more than a few."""


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
