"""The input of `manyheads predict` as a table that loses no cell: its columns, and the cells of every row."""

from __future__ import annotations

import base64
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.data.reading import BadRow, Row, Several, Source
from manyheads.data.reading.combined import Grouped
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.dotted import Dotted
from manyheads.data.reading.json_lines import JsonLines
from manyheads.data.reading.parquet import Parquet

WHOLE = "input"
"""Column for the text of a row that has no cells because it cannot be read."""


class InputTable:
    """The columns of a source, and its rows by column.

    A column without a name keeps its empty name; a further one is named by its place. Fields beyond the header's have
    columns of their own, and the text of a row that cannot be read has the column `input`.

    Args:
        source: the source.
        complete: whether to read the source once to find all columns, which an output with a header needs. Otherwise
            `columns` may lack keys of later JSON objects and columns for bad rows.
    """

    def __init__(self, source: Source, *, complete: bool) -> None:
        self._headers = {each.name: _named(each.header) for each in sources_of(source) if isinstance(each, Delimited)}
        found: dict[str, None] = {}
        for each in sources_of(source):
            found |= dict.fromkeys(self._headers.get(each.name, each.columns))
        self._base = tuple(found)
        self._extra: list[str] = []
        self._whole = _free(WHOLE, found)
        self._first = source.name
        if complete and not all(isinstance(each, Parquet) for each in sources_of(source)):
            for row in source.rows():
                found |= dict.fromkeys(self.cells(row))
        # Cells without a column of the input come after those with one.
        added = [name for name in (*self._extra, self._whole) if name in found]
        self.columns = (*(name for name in found if name not in added), *added)

    def cells(self, row: Row | BadRow) -> Mapping[str, Any]:
        """Return the cells of a row by column."""
        header = self._headers.get(self._file(row))
        if isinstance(row, Row):
            if row.added:
                return {name: cell for name, cell in row.values.items() if name not in row.added}
            if header is None or row.fields is None:
                return row.values
            return dict(zip(header, row.fields, strict=True))
        if len(row.fields) < 2:
            text = "".join(row.fields)
            return {self._whole: text} if text.strip() else {}
        names = self._base if header is None else header
        return {self._name(names, place): field for place, field in enumerate(row.fields)}

    def _file(self, row: Row | BadRow) -> str:
        return row.source if isinstance(row, BadRow) else row.file or self._first

    def _name(self, names: Sequence[str], place: int) -> str:
        """Return the column of a field: one of the header, or one for a field beyond it."""
        if place < len(names):
            return names[place]
        place -= len(names)
        while len(self._extra) <= place:
            self._extra.append(_free(f"field_{len(names) + len(self._extra) + 1}", self._base))
        return self._extra[place]


def sources_of(source: Source) -> tuple[Source, ...]:
    """Return the sources of which a source consists, as they are in the files: without groups and paths."""
    source = source.inner if isinstance(source, Grouped) else source
    sources = source.sources if isinstance(source, Several) else (source,)
    return tuple(each.inner if isinstance(each, Dotted) else each for each in sources)


def is_json(source: Source) -> bool:
    """Return whether the cells of a source come from JSON, which they may be written to unchanged."""
    return all(isinstance(each, JsonLines) for each in sources_of(source))


def cell_text(cell: Any) -> str:
    """Return a cell as text: nothing for null, JSON for a list or an object, base64 for bytes."""
    if cell is None:
        return ""
    if isinstance(cell, str):
        return str(cell)
    if isinstance(cell, bool):
        return "true" if cell else "false"
    if isinstance(cell, Mapping | list | tuple):
        return json.dumps(cell, ensure_ascii=False, default=plain)
    return base64.b64encode(cell).decode("ascii") if isinstance(cell, bytes) else str(cell)


def plain(cell: Any) -> Any:
    """Return a cell that JSON has no type for, such as a date, as text."""
    return base64.b64encode(cell).decode("ascii") if isinstance(cell, bytes) else str(cell)


def finite(cell: Any) -> Any:
    """Return a cell for JSON, which has no NaN and no infinite numbers: NaN is null, and infinity is text."""
    if isinstance(cell, float) and not math.isfinite(cell):
        return None if math.isnan(cell) else str(cell)
    if isinstance(cell, Mapping):
        return {name: finite(each) for name, each in cell.items()}
    return [finite(each) for each in cell] if isinstance(cell, list | tuple) else cell


def _named(header: Sequence[str]) -> tuple[str, ...]:
    """Return the names of a header. Of several columns without a name, only the first keeps its empty name."""
    names: list[str] = []
    for place, name in enumerate(header, start=1):
        names.append(_free(f"column_{place}", header) if name == "" and "" in names else name)
    return tuple(names)


def _free(name: str, taken: Any) -> str:
    while name in taken:
        name += "_"
    return name
