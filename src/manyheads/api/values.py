"""Values of a recipe that is made in Python, as the plain values that a recipe file has."""

from __future__ import annotations

import math
import numbers
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import fields
from enum import Enum
from typing import Any, Protocol, SupportsIndex

import numpy as np
from pydantic import ValidationError, create_model

from manyheads.data.given import Column, GivenTable, as_column, has_columns
from manyheads.data.reading.text_format import TextFormat
from manyheads.errors import DataError, RunError
from manyheads.options import Options
from manyheads.recipe.check_options import from_validation
from manyheads.recipe.schema import TaskOptions


class Frame(Protocol):
    """A table with named columns, such as a DataFrame of pandas or polars."""

    @property
    def columns(self) -> Any:
        """The names of the columns."""


class ArrowTable(Protocol):
    """A table of pyarrow, or a data set of the datasets library."""

    @property
    def column_names(self) -> Any:
        """The names of the columns."""


Path_ = str | os.PathLike[str]
"""The path of a file."""

Files = Path_ | Sequence[Path_] | Mapping[str, Path_]
"""A file, a folder or a pattern; several of them; or the file of each column."""

Rows = Frame | ArrowTable | GivenTable | Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]
"""Rows in memory: a DataFrame, a pyarrow table, a data set, a list of dicts, or a dict of columns."""

Integer = int | SupportsIndex
"""A whole number of Python or numpy."""

Number = float | SupportsIndex | np.floating[Any]
"""A number of Python or numpy."""


class Table(Mapping[str, Any]):
    """A table of a recipe, by keywords. It is a mapping, and is validated with the recipe that it becomes a part of."""

    def __init__(self, **keys: Any) -> None:
        self._keys = keys

    def __getitem__(self, key: str) -> Any:
        return self._keys[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._keys)

    def __len__(self) -> int:
        return len(self._keys)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            own = type(self).__name__
            raise AttributeError(f"a {own} does not change: make another one, {own}(**{{**before, {name!r}: VALUE}})")
        super().__setattr__(name, value)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({', '.join(f'{key}={shown(value)}' for key, value in self._keys.items())})"


LONGEST = 60
"""Characters of a value that a representation shows."""


def shown(value: Any) -> str:
    """Return a value for a representation. A table in memory is shown by its type and its number of rows."""
    if isinstance(value, Table):
        return repr(value)
    if isinstance(value, GivenTable):
        return repr(value)
    if has_columns(value):
        return f"<{type(value).__name__}, {len(value)} rows>"
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 3]}..."


def plain(value: Any) -> Any:
    """Return a value as a recipe file would have it.

    Paths become text, tuples, ranges, arrays and columns become lists, and numbers of numpy become those of Python. A
    list of an array or a column is a `Column`, which is refused where a table or files are expected.
    Members of an enumeration become their values. Other values are unchanged; the recipe judges them.
    """
    if isinstance(value, Enum):
        return plain(value.value)
    if isinstance(value, Mapping) and not has_columns(value):
        return {plain(key): plain(each) for key, each in value.items()}
    if isinstance(value, str | os.PathLike):
        return str(os.fsdecode(value))  # also of the strings of numpy
    if isinstance(value, np.generic):
        return plain(value.item())
    column = as_column(value)
    if column is None and not isinstance(value, list | tuple | range):
        return value
    items = [plain(each) for each in (value if column is None else column)]
    return items if column is None else Column(items, column.found)


def files_of(data: Any, where: str) -> Any:
    """Return files that were given to a call, as a recipe file would name them. `where`: their place, for messages.

    Raises:
        DataError: They are no names of files.
    """
    names = plain(data)
    parts = names.values() if isinstance(names, Mapping) else names if isinstance(names, list) else [names]
    if not all(isinstance(each, str) for each in parts):
        allowed = "a file, a folder or a pattern; a list of them; a dict with the file of each column"
        found = f"a value of the type {type(data).__name__}"
        raise DataError("this is not the name of a file", where=where, found=found, allowed=allowed)
    return names


def check_number(name: str, value: object, low: float, high: float = math.inf, *, whole: bool = False) -> None:
    """Check a number that was given to a call. None is the default of the call.

    Raises:
        RunError: It is not a number, or not in the range.
    """
    kind = numbers.Integral if whole else numbers.Real
    if value is None or (isinstance(value, kind) and not isinstance(value, bool) and low <= float(value) <= high):
        return
    allowed = f"a {'whole ' if whole else ''}number from {low:g}" + ("" if math.isinf(high) else f" to {high:g}")
    raise RunError("the value is invalid", where=f"{name}=", found=value, allowed=f"{allowed}, or None")


def place(key: Iterable[str]) -> str:
    """Return the place of a key in Python: `tasks["reviews"].label`."""
    text = ""
    named = False
    for part in key:
        if named:
            text += f'["{part}"]'
        else:
            text += f".{part}" if text else part
        named = not named and part in ("tasks", "held_out_with", "rows")
    return text


_FIELDS = {each.name: TaskOptions.model_fields[each.name] for each in fields(TextFormat)}
_TextFormatKeys: Any = create_model(
    "_TextFormatKeys",
    __base__=Options,
    **{name: (each.annotation, each) for name, each in _FIELDS.items()},  # type: ignore[call-overload]
)


def text_format_of(keys: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the argument `text_format` of a call, the keys of a task that say how its files are written.

    Raises:
        DataError: A key or a value is invalid.
    """
    if keys is not None and not isinstance(keys, Mapping):
        what = "the value is not a dict of keys"
        raise DataError(what, where="text_format", found=plain(keys), allowed='a dict such as {"delimiter": ";"}')
    given = {str(key): plain(value) for key, value in (keys or {}).items()}
    try:
        _TextFormatKeys(**given)
    except ValidationError as error:
        (fault, *_) = from_validation(error, _TextFormatKeys)
        where = f'text_format["{".".join(fault.key)}"]'
        raise DataError(fault.what, where=where, found=fault.found, allowed=fault.allowed, hint=fault.hint) from None
    return {key: tuple(value) if isinstance(value, list) else value for key, value in given.items()}
