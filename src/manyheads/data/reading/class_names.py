"""Named classes: integers in a column of the datasets library whose features name the classes (ClassLabel)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.tasks.cells import ClassName

WITHHELD = -1
"""The number of a label that is not published."""


class Names:
    """The names of the classes of each column of a data set."""

    def __init__(self, columns: Mapping[str, Sequence[str]]) -> None:
        self._columns = {
            column: {number: ClassName(name, number) for number, name in enumerate(names)}
            for column, names in columns.items()
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns with named classes."""
        return tuple(self._columns)

    def __bool__(self) -> bool:
        return bool(self._columns)

    def named(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the cells of a row with names in place of numbers. A label that is not published is None."""
        if not self._columns:
            return values
        named = {column: names.get(values[column], values[column]) for column, names in self._columns.items()}
        return {**values, **{column: None if cell == WITHHELD else cell for column, cell in named.items()}}


def names_in_metadata(metadata: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names of the classes of each column from the metadata that the datasets library writes to Parquet."""
    try:
        features = json.loads(metadata["huggingface"])["info"]["features"]
        found = {column: of["names"] for column, of in features.items() if of.get("_type") == "ClassLabel"}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {
        column: names
        for column, names in found.items()
        if isinstance(names, list) and all(isinstance(name, str) for name in names)
    }
