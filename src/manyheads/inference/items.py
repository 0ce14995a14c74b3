"""What `Predictor.predict` accepts: one text or pair, a list, a Series, an array, or a table with the text columns."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, ValuesView
from dataclasses import dataclass
from typing import Any

import numpy as np

from manyheads.data.reading import BadRow, Row
from manyheads.data.reading.combined import Grouped
from manyheads.data.reading.dotted import DottedPath, PathError
from manyheads.data.table import as_text
from manyheads.errors import DataError, did_you_mean
from manyheads.tasks.cells import LONGEST_QUOTE, is_missing, listed_words, quoted
from manyheads.tasks.kind import LabelError
from manyheads.tasks.tags import SplitText
from manyheads.tasks.task import Task

Texts = tuple[str, ...]

LONE_SURROGATE = re.compile(r"[\ud800-\udfff]")

ALLOWED = (
    "a string, a tuple of two strings for a pair, a list, a Series, an array, a DataFrame of pandas or polars, a "
    "pyarrow table, or a datasets.Dataset"
)


@dataclass(frozen=True)
class Items:
    """The texts of n items.

    `rows`: the one or two texts of each item, or the text and its candidates, checked when they are read. `single`:
    whether the input is one item and not a list of items. `table`: the input if it is a table, a Series or a list of
    dicts, otherwise None.
    """

    rows: Iterator[Texts]
    single: bool = False
    table: Any = None


def read_items(task: Task, texts: Any) -> Items:
    """Return the items of an input of a task.

    A list always has items. An item of a task that reads words may be a list of words. A string, and a tuple of two
    strings for a task of pairs, is one item. An item of a task with candidates is a pair of a text and a list, or a
    list with the text first; one tuple is one item. The task's own columns are read from a table. If the task was
    trained on a file with a word or a candidate per line, so may a table be: its items are the groups of its rows.

    Raises:
        DataError: The input has another type, a table lacks a text column, or rows cannot be grouped. A wrong item is
            an error with its position when it is read.
    """
    chooses = task.kind.reads == "candidates"
    texts = _framed(texts)
    if isinstance(texts, str) or (isinstance(texts, tuple) and (chooses or len(texts) == len(task.text) == 2)):
        return Items(_checked(task, [texts], lambda _: "the input"), single=True)
    texts = _gathered(task, texts)
    columns = _columns(task, texts)
    if columns is not None:
        cells = zip(*columns, strict=True)
        rows = (dict(zip(task.columns, each, strict=True)) for each in cells) if chooses else _as_read(cells)
        return Items(_checked(task, rows, _place(texts)), table=texts)
    if isinstance(texts, np.ndarray) and texts.ndim in (1, 2):
        return Items(_checked(task, texts.tolist(), _numbered))
    if _is_series(texts):
        return Items(_checked(task, texts, _place(texts)), table=texts)
    listed = isinstance(texts, Sequence) and not isinstance(texts, tuple | bytes | bytearray)
    if not listed and not isinstance(texts, Iterator | ValuesView) and not _of("datasets", "IterableDataset", texts):
        raise _unsupported(task, texts)
    records = listed and bool(texts) and all(isinstance(item, Mapping) for item in texts)
    return Items(_checked(task, texts, _numbered), table=list(texts) if records else None)


def _framed(texts: Any) -> Any:
    """Return a table of pyarrow or a lazy frame of polars as a DataFrame of polars. Other inputs are unchanged."""
    if _of("polars", "LazyFrame", texts):
        return texts.collect()
    if not _of("pyarrow", "Table", texts):
        return texts
    import polars as pl

    return pl.DataFrame(pl.from_arrow(texts))


def _gathered(task: Task, table: Any) -> Any:
    """Return a table with a row per group of lines if it has a word or a candidate per row. Others are unchanged.

    Raises:
        DataError: The rows of a group do not follow one another, or do not fit together.
    """
    key, pandas = task.kind.gathered_by, _of("pandas", "DataFrame", table)
    if key is None:
        return table
    if pandas:
        rows = table.to_dict("records")
    elif _of("polars", "DataFrame", table):
        rows = table.to_dicts()
    elif _of("datasets", "Dataset", table):
        rows = table.with_format(None).to_list()
    else:
        rows = table if isinstance(table, list) else []
    own = (*task.kind.input_columns, *task.text)[0]
    if not rows or not all(isinstance(row, Mapping) and key in row and own in row for row in rows):
        return table
    if any(isinstance(row[own], Sequence | np.ndarray) and not isinstance(row[own], str) for row in rows):
        return table
    place = _place(table)
    groups: list[dict[str, Any]] = []
    words = task.kind.reads == "tokens"
    for row in Grouped(_InMemory(rows), key, task.kind.input_columns, task.text, words=words).rows():
        if isinstance(row, BadRow):
            raise DataError(row.reason, where=place(row.line - 1))
        groups.append(dict(row.values))
    return sys.modules["pandas"].DataFrame(groups) if pandas else groups


class _InMemory:
    """The rows of a table in memory as a source. The line of a row is its number, from 1."""

    name, typed = "the input", True
    warnings: tuple[str, ...] = ()

    def __init__(self, records: Sequence[Mapping[str, Any]]) -> None:
        self._records = records
        self.columns = tuple(map(str, records[0]))

    @property
    def form(self) -> Mapping[str, object]:
        return {}

    def rows(self) -> Iterator[Row | BadRow]:
        for number, record in enumerate(self._records, start=1):
            yield Row(number, record)

    def fingerprint(self) -> str:
        return ""


def _columns(task: Task, table: Any) -> list[Iterable[Any]] | None:
    """Return the text columns of a table, or None if the input is not a table."""
    if _of("pandas", "DataFrame", table):
        names = list(table.columns)
        repeated = [name for name in task.columns if names.count(name) > 1]
        if repeated:
            raise DataError(
                f"the table has the column {repeated[0]!r} more than once", hint="rename one of the columns"
            )
        return [_read(name, names, lambda each: table[each].tolist()) for name in _required(task, names)]
    if _of("polars", "DataFrame", table):
        names = table.columns
        return [_read(name, names, lambda each: table.get_column(each).to_list()) for name in _required(task, names)]
    if _of("datasets", "Dataset", table):
        plain, names = table.with_format(None), table.column_names
        return [_read(name, names, lambda each: _cells(plain, each)) for name in _required(task, names)]
    return None


def _as_read(rows: Iterable[Sequence[Any]]) -> Iterator[tuple[Any, ...]]:
    """Yield the cells of rows as a file with them is read: numbers are text, and lists of words are joined."""
    for row in rows:
        yield tuple(as_text(cell.tolist() if isinstance(cell, np.ndarray) else cell) for cell in row)


def _read(column: str, names: Sequence[Any], cells: Callable[[str], Iterable[Any]]) -> Iterable[Any]:
    """Return the cells of a column of a table, which may be a path into the cells of another one."""
    outer = _outer(column, names)
    return cells(column) if outer is None else (_cell_at({outer: cell}, column) for cell in cells(outer))


def _outer(column: str, names: Iterable[Any]) -> str | None:
    """Return the column into whose cells a column is a path. None if it is a column of its own, or there is none."""
    path = None if column in names else DottedPath.of(column)
    first = None if path is None else str(path.steps[0])
    return first if first in names else None


def _cells(table: Any, column: str) -> Iterator[Any]:
    """Yield the cells of a column of a datasets.Dataset."""
    for batch in table.select_columns([column]).iter(1000):
        yield from batch[column]


def _required(task: Task, columns: Sequence[Any]) -> Texts:
    """Check that a table or a mapping has the text columns of a task, and return them."""
    for column in task.columns:
        if column not in columns and _outer(column, columns) is None:
            names = [str(name) for name in columns]
            hint = did_you_mean(column, names) or "rename the column, or pass the column itself"
            allowed = f"a table with {' and '.join(map(repr, task.columns))}"
            what = f"the table has no column {column!r}"
            raise DataError(what, where=f"task {task.name}", found=", ".join(names), allowed=allowed, hint=hint)
    return task.columns


def _checked(task: Task, items: Iterable[Any], place: Callable[[int], str]) -> Iterator[Texts]:
    """Yield the texts of each item.

    Raises:
        DataError: An item is not a text, or not a pair of texts, as the task reads it.
    """
    for number, item in enumerate(items):
        if task.kind.reads == "candidates":
            yield _with_candidates(task, item, place(number))
            continue
        cells = _cells_of(task, item)
        if len(cells) != len(task.text) or not all(map(_usable, cells)):
            raise _unusable(task, item, cells, place(number))
        yield tuple(map(_joined, cells))


def _cells_of(task: Task, item: Any) -> list[Any]:
    """Return the texts of an item, unchecked. There are none if a mapping lacks a column."""
    if task.kind.reads == "tokens":
        cell = _cell_at(item, task.text[0]) if isinstance(item, Mapping) and _has(item, task.text[0]) else item
        cell = cell[0] if isinstance(cell, tuple) and len(cell) == 1 else cell
        return [] if isinstance(cell, Mapping) else [_joined(cell)]
    if isinstance(item, Mapping):
        return [as_text(_cell_at(item, column)) for column in task.text if _has(item, column)]
    return [item] if isinstance(item, str) or not isinstance(item, Sequence | np.ndarray) else list(item)


def _with_candidates(task: Task, item: Any, where: str) -> Texts:
    """Return the text of an item and its candidates.

    Raises:
        DataError: The item is no text with a list of candidates, or a row that lacks a column.
    """
    allowed = "a text and the list of its candidates, such as (text, [candidate, candidate])"
    if isinstance(item, Mapping):
        cells = {column: _cell_at(item, column) for column in task.columns}
        allowed = f"a dict with {' and '.join(map(repr, task.columns))}"
        try:
            chosen = task.kind.candidates(cells).texts
        except LabelError as error:
            raise DataError(str(error), where=where, found=_named(item), allowed=allowed) from None
        texts = [cells[column] for column in task.text]
        found = [" ".join(texts) if all(map(_usable, texts)) else "", *chosen]
    elif isinstance(item, Sequence | np.ndarray) and not isinstance(item, str) and len(item) > 1:
        listed = len(item) == 2 and not isinstance(item[1], str) and isinstance(item[1], Sequence | np.ndarray)
        found = [item[0], *item[1]] if listed else list(item)
    else:
        found = []
    if len(found) < 2 or not all(map(_usable, found)):
        what = f"task {task.name} reads a text with its candidates"
        raise DataError(what, where=where, found=_named(item), allowed=allowed)
    return tuple(found)


def _has(item: Mapping[str, Any], column: str) -> bool:
    """Whether a row has a column, or one into whose cells it is a path."""
    return column in item or _outer(column, item) is not None


def _cell_at(item: Mapping[str, Any], column: str) -> Any:
    """Return the cell of a column of a row, which may be a path into its cells."""
    outer = _outer(column, item)
    path = None if outer is None else DottedPath.of(column)
    if outer is None or path is None:
        cell = item.get(column)
    else:
        try:
            cell = path.find({outer: _plain(item[outer])})
        except PathError:
            return None
    return cell.tolist() if isinstance(cell, np.ndarray) else cell


def _plain(cell: Any) -> Any:
    """Return a cell with lists in place of arrays, which pandas has for the lists of a Parquet file."""
    if isinstance(cell, Mapping):
        return {key: _plain(each) for key, each in cell.items()}
    return [_plain(each) for each in cell] if isinstance(cell, list | np.ndarray) else cell


def _joined(cell: Any) -> Any:
    """Return the words of a list as one text, also of a list that is written as text. Anything else is unchanged."""
    if isinstance(cell, str):
        words = None if isinstance(cell, SplitText) else listed_words(cell)
        return cell if words is None else SplitText(words)
    listed = isinstance(cell, Sequence | np.ndarray) and len(cell)
    return SplitText(list(cell)) if listed and all(isinstance(word, str) for word in cell) else cell


def _usable(cell: Any) -> bool:
    return isinstance(cell, str) and bool(cell.strip()) and (cell.isascii() or not LONE_SURROGATE.search(cell))


def _unusable(task: Task, item: Any, cells: Sequence[Any], where: str) -> DataError:
    wanted = "a string" if len(task.text) == 1 else f"a pair of strings ({', '.join(task.text)})"
    if isinstance(item, Mapping) and len(cells) < len(task.text):
        what = f"the item has no {' or '.join(repr(column) for column in task.text if not _has(item, column))}"
        wanted = f"a dict with {' and '.join(map(repr, task.text))}"
    elif len(cells) != len(task.text):
        what = f"task {task.name} reads {wanted}"
    elif any(map(is_missing, (cell for cell in cells if not isinstance(cell, str)))):
        what = "the text is missing"
    elif not all(isinstance(cell, str) for cell in cells):
        what = f"task {task.name} reads {wanted}"
    elif not all(cell.strip() for cell in cells):
        what, wanted = "empty text", "a text with a word in it"
    else:
        what = "the text has half of a surrogate pair"
    return DataError(what, where=where, found=_named(item), allowed=wanted)


def _named(item: Any) -> str:
    """Return an item as an error names it, with its type if it is not a text."""
    if isinstance(item, str):
        return item if len(item) <= LONGEST_QUOTE else f"{item[:LONGEST_QUOTE]}..."
    return f"{quoted(item)} ({type(item).__name__})"


def _unsupported(task: Task, texts: Any) -> DataError:
    if isinstance(texts, tuple):
        hint = "a tuple is one pair of strings: pass a list of texts"
    elif isinstance(texts, Mapping):
        hint = "pass a list of dicts, one per item, or a DataFrame"
    else:
        hint = "pass a list of texts"
    what = f"task {task.name} cannot read texts from a {type(texts).__name__}"
    return DataError(what, where="the input", found=_named(texts), allowed=ALLOWED, hint=hint)


def _place(table: Any) -> Callable[[int], str]:
    """Return the function that names an item: its position, and its label in an index of pandas."""
    if not (_of("pandas", "DataFrame", table) or _of("pandas", "Series", table)):
        return _numbered

    def place(number: int) -> str:
        label = table.index[number]
        return _numbered(number) if label == number else f"{_numbered(number)}, index {label!r}"

    return place


def _numbered(number: int) -> str:
    return f"item {number}"


def _is_series(texts: Any) -> bool:
    return _of("pandas", "Series", texts) or _of("pandas", "Index", texts) or _of("polars", "Series", texts)


def _of(package: str, name: str, value: Any) -> bool:
    """Return whether a value has a type of a package. A package that is not imported has no values."""
    kind = getattr(sys.modules.get(package), name, None)
    return isinstance(kind, type) and isinstance(value, kind)
