"""Columns inside columns: the cells of JSON objects, Parquet structs and lists by dotted paths, `question.stem`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any

from manyheads.data.reading.json_lines import JSON_TYPES
from manyheads.data.reading.rows import BadRow, Row, Source

PATH = re.compile(r"[^.\[\]]+(?:\[\d*\])*(?:\.[^.\[\]]+(?:\[\d*\])*)*")

PART = re.compile(r"[^.\[\]]+|\[\d*\]")

EVERY = -1
"""In place of a place in a list: all of them."""

INSPECTED, MOST_LISTED, DEEPEST = 100, 50, 8
"""Rows, names and levels that are looked at to list the columns of an error."""

MISSING = object()


class PathError(ValueError):
    """A value on a path has another type than the path says."""


@dataclass(frozen=True)
class DottedPath:
    """A path: `question.stem` is a key of an object, `a[0]` a place of a list, and `choices[].text` a list of texts.

    `steps`: keys, and places of lists.
    """

    name: str
    steps: tuple[str | int, ...]

    @classmethod
    def of(cls, name: str) -> DottedPath | None:
        """Return a name as a path, or None if it only names a column or is not a path."""
        if not PATH.fullmatch(name):
            return None
        steps = tuple(_step(part) for part in PART.findall(name))
        return cls(name, steps) if len(steps) > 1 else None

    def find(self, values: Mapping[str, object]) -> object:
        """Return what is at the path, or None if a key, a place or a value on the way is missing.

        Raises:
            PathError: A value on the way is not an object or a list as the path says.
        """
        found = self._find(values, 0)
        return None if found is MISSING else found

    def is_in(self, values: Mapping[str, object]) -> bool:
        """Whether the last key of the path exists. Behind `[]`, it must have a value for one item."""
        try:
            found = self._find(values, 0)
        except PathError:
            return False
        return _has_value(found) if EVERY in self.steps else found is not MISSING

    def _find(self, value: Any, at: int) -> Any:
        if at == len(self.steps):
            return value
        if value is None:
            return MISSING
        step = self.steps[at]
        if isinstance(step, str):
            if not isinstance(value, Mapping):
                raise self._wrong(value, at, "an object")
            return self._find(value[step], at + 1) if step in value else MISSING
        if not isinstance(value, Sequence) or isinstance(value, str | bytes):
            raise self._wrong(value, at, "a list")
        if step == EVERY:
            return [None if (found := self._find(each, at + 1)) is MISSING else found for each in value]
        return self._find(value[step], at + 1) if step < len(value) else MISSING

    def _wrong(self, value: object, at: int, expected: str) -> PathError:
        kind = "an object" if isinstance(value, Mapping) else JSON_TYPES.get(type(value).__name__)
        found = kind or f"a {type(value).__name__}"
        return PathError(f"{found} at {_spelled(self.steps[:at])!r}, where the path {self.name!r} expects {expected}")


class Dotted:
    """A source with more columns: those at paths into its cells. A column whose own name has dots wins.

    Args:
        inner: the source.
        paths: paths that are in a row of it.
    """

    def __init__(self, inner: Source, paths: Sequence[DottedPath]) -> None:
        self.inner = inner
        self._paths = tuple(paths)
        self.name, self.typed, self.warnings = inner.name, inner.typed, inner.warnings
        self.columns = (*inner.columns, *(path.name for path in self._paths))

    @property
    def form(self) -> Mapping[str, object]:
        """The form of the source, and the paths."""
        return {"of": [type(self.inner).__name__, dict(self.inner.form)], "paths": [path.name for path in self._paths]}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the rows. A row with a value of a wrong type on a path is a bad row."""
        for row in self.inner.rows():
            yield self.row_of(row)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the source."""
        return self.inner.fingerprint()

    def row_of(self, row: Row | BadRow) -> Row | BadRow:
        """Return a row of the inner source with the values at the paths."""
        if isinstance(row, BadRow):
            return row
        paths = [path for path in self._paths if path.name not in row.values]
        try:
            found = {path.name: path.find(row.values) for path in paths}
        except PathError as error:
            return BadRow(self.name, row.line, str(error))
        return replace(row, values={**row.values, **found}, added=frozenset(found))


def with_paths(source: Source, names: Sequence[str]) -> Source:
    """Return a source with a column for each of the names that is a path into its cells. Others are left out."""
    if not source.typed:
        return source
    named = (DottedPath.of(name) for name in dict.fromkeys(names) if name not in source.columns)
    paths = [path for path in named if path is not None]
    missing = {path.name: path for path in paths}
    rows = source.rows() if missing else iter(())
    while missing and (row := next(rows, None)) is not None:
        if isinstance(row, Row):
            for path in [each for each in missing.values() if each.name in row.values or each.is_in(row.values)]:
                del missing[path.name]
    found = [path for path in paths if path.name not in missing]
    return Dotted(source, found) if found else source


def listed_columns(source: Source) -> list[str]:
    """Return the columns of a source for a message, with paths in place of columns that have columns inside."""
    if not source.typed:
        return list(source.columns)
    names: dict[str, dict[str, None]] = {name: {} for name in source.columns}
    for row in islice((row for row in source.rows() if isinstance(row, Row)), INSPECTED):
        for name, inside in names.items():
            if len(inside) < MOST_LISTED:
                inside.update(dict.fromkeys(islice(_inside(row.values.get(name), name, DEEPEST), MOST_LISTED)))
    return [each for name, inside in names.items() for each in (_innermost(list(inside)) or [name])]


def _innermost(paths: Sequence[str]) -> list[str]:
    """Return the paths without those to which another one leads, such as a list that is empty in some rows."""
    return [path for path in paths if not any(other.startswith((f"{path}.", f"{path}[")) for other in paths)]


def _inside(value: object, name: str, levels: int) -> Iterator[str]:
    """Yield the paths to the values inside a value that is at a path."""
    if isinstance(value, Mapping) and levels:
        for key, each in value.items():
            path = f"{name}.{key}"
            inside = list(_inside(each, path, levels - 1))
            yield from inside or [path]
    elif isinstance(value, list) and levels:
        for each in value[:INSPECTED]:
            yield from _inside(each, f"{name}[]", levels - 1)


def _step(part: str) -> str | int:
    if not part.startswith("["):
        return part
    return int(part[1:-1]) if part != "[]" else EVERY


def _spelled(steps: Sequence[str | int]) -> str:
    parts = (f".{step}" if isinstance(step, str) else ("[]" if step == EVERY else f"[{step}]") for step in steps)
    return "".join(parts).removeprefix(".")


def _has_value(found: object) -> bool:
    if isinstance(found, list):
        return any(map(_has_value, found))
    return found is not None and found is not MISSING
