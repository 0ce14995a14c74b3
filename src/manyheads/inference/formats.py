"""Output formats of `manyheads predict`: every cell of the input and the predictions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import numpy as np

from manyheads.data.reading import Source
from manyheads.data.reading.combined import Grouped
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.parquet import Parquet
from manyheads.data.reading.plain import PlainLines
from manyheads.inference.predictions import Prediction, added_columns
from manyheads.inference.rows import RowPrediction
from manyheads.inference.table import InputTable, cell_text, finite, is_json, plain, sources_of
from manyheads.tasks.records import course_header, course_lines
from manyheads.tasks.task import Task
from manyheads.tasks.written import without_formula

if TYPE_CHECKING:
    import polars as pl

FORMATS = ("csv", "tsv", "jsonl", "parquet", "lines", "course")

TABLES = ("csv", "tsv", "parquet")
"""Formats with a header. All columns must be known before the first row is written."""

ROWS = 8192
"""Number of rows of a Parquet file in memory."""


@dataclass(frozen=True)
class Output:
    """What is written: the format, the task, and the columns of the input.

    `names`: the name of each added column or key by its usual name. `decimal`: the decimal mark of added numbers.
    `escape_formulas`: whether text that a spreadsheet reads as a formula begins with a quote.
    """

    format: str
    task: Task
    source: Source
    table: InputTable
    names: Mapping[str, str]
    decimal: str = "."
    escape_formulas: bool = False


def make_output(
    format_: str, task: Task, source: Source, *, decimal: str = ".", escape_formulas: bool = False
) -> Output:
    """Prepare an output. If the format needs to know all columns, the source is read once."""
    known = all(isinstance(each, Delimited | Parquet | PlainLines) for each in sources_of(source))
    complete = format_ in TABLES or (format_ == "jsonl" and not known)
    table = InputTable(source, complete=complete)
    if format_ == "jsonl":
        names = _keys(task, table.columns)
    else:
        names = added_columns(task, table.columns, "error") if format_ in TABLES else {}
    return Output(format_, task, source, table, names, decimal, escape_formulas)


def format_of(source: Source) -> str:
    """Return the output format that is the format of a source. Sources of objects are JSON lines."""
    first = sources_of(source)[0]
    if isinstance(first, Delimited):
        return "tsv" if first.delimiter == "\t" else "csv"
    if isinstance(first, PlainLines):
        return "lines"
    return "parquet" if isinstance(first, Parquet) else "jsonl"


def write_text(output: Output, predictions: Iterable[RowPrediction], file: TextIO) -> None:
    """Write predictions in a text format.

    Raises:
        DataError: the format is "course" and the labels of the task are not numbers.
    """
    file.writelines(_TEXT[output.format](output, predictions))


def write_parquet(output: Output, predictions: Iterable[RowPrediction], path: Path, scratch: Path) -> None:
    """Write predictions as Parquet. The input's columns keep their types if it is Parquet, and are text otherwise."""
    import polars as pl

    source = output.source
    (first, *others) = sources_of(source)
    whole = not others and not isinstance(source, Grouped)
    typed = first if isinstance(first, Parquet) and whole else None
    types = _prediction_types(output)
    rest = iter(predictions)
    parts: list[Path] = []
    while (chunk := list(islice(rest, ROWS))) or not parts:
        own = _text_frame(output, chunk) if typed is None else _typed_frame(typed, len(parts) * ROWS, chunk)
        cells = [_added(output, each) for each in chunk]
        columns = {name: [row.get(name) for row in cells] for name in output.names.values()}
        added = [pl.Series(name, values, types[name]) for name, values in columns.items()]
        parts.append(scratch / f"part-{len(parts):06d}.parquet")
        own.with_columns(added).write_parquet(parts[-1])
    pl.scan_parquet(parts, glob=False).sink_parquet(path)


def _delimited(output: Output, predictions: Iterable[RowPrediction]) -> Iterator[str]:
    first = sources_of(output.source)[0]
    own = first.delimiter if isinstance(first, Delimited) else ","
    delimiter = "\t" if output.format == "tsv" else ("," if own == "\t" else own)
    unquoted = isinstance(first, Delimited) and not first.quotes and delimiter == own
    line = _unquoted(delimiter) if unquoted else _quoted(delimiter)
    columns = [*output.table.columns, *output.names.values()]

    def escaped(cell: str) -> str:
        return without_formula(cell) if output.escape_formulas else cell

    yield line([escaped(column) for column in columns])
    for each in predictions:
        own_cells, added = output.table.cells(each.row), _added(output, each)
        cells = [escaped(cell_text(own_cells.get(column))) for column in output.table.columns]
        for name in output.names.values():
            value = added.get(name)
            number = isinstance(value, float)
            cells.append(repr(value).replace(".", output.decimal) if number else escaped(cell_text(value)))
        yield line(cells)


def _quoted(delimiter: str) -> Callable[[Sequence[str]], str]:
    buffer = io.StringIO()
    # The csv module quotes a carriage return only if it is part of the line end.
    writer = csv.writer(buffer, delimiter=delimiter, lineterminator="\r\n")

    def line(cells: Sequence[str]) -> str:
        buffer.seek(0)
        buffer.truncate()
        writer.writerow(cells)
        return buffer.getvalue()[:-2] + "\n"

    return line


def _unquoted(delimiter: str) -> Callable[[Sequence[str]], str]:
    """Return a writer of lines whose quotes are characters like any other."""
    marks = str.maketrans(dict.fromkeys(f"{delimiter}\r\n", " "))

    def line(cells: Sequence[str]) -> str:
        return delimiter.join(cell.translate(marks) for cell in cells) + "\n"

    return line


def _json(output: Output, predictions: Iterable[RowPrediction]) -> Iterator[str]:
    from_json = is_json(output.source)
    for each in predictions:
        own = dict(output.table.cells(each.row))
        record = {"line": each.row.line, "error": each.error} if each.record is None else each.record
        added = {output.names.get(name, name): value for name, value in record.items()}
        # The row keeps its own "id".
        if "id" in output.table.columns or "id" in own:
            added.pop("id", None)
        cells = own if from_json else {name: finite(cell) for name, cell in own.items()}
        yield json.dumps({**cells, **added}, ensure_ascii=False, default=plain) + "\n"


def _keys(task: Task, columns: Sequence[str]) -> dict[str, str]:
    """Return the name of each added key of JSON lines. Underscores are appended to a name that the input has."""
    names = {}
    of_words = [each.name for each in fields(Prediction)] if task.kind.ragged_targets else []
    shares = "probabilities" if task.kind.probability_names else "value"
    for wanted in dict.fromkeys(("prediction", *of_words, shares, "line", "error")):
        names[wanted] = wanted
        while names[wanted] in columns:
            names[wanted] += "_"
    return names


def _lines(output: Output, predictions: Iterable[RowPrediction]) -> Iterator[str]:
    del output
    for each in predictions:
        yield ("" if each.record is None else cell_text(each.record["prediction"])) + "\n"


def _course(output: Output, predictions: Iterable[RowPrediction]) -> Iterator[str]:
    yield course_header(output.task)
    yield from course_lines(output.task, (dict(each.record) for each in predictions if each.record is not None))


_TEXT: dict[str, Callable[[Output, Iterable[RowPrediction]], Iterator[str]]] = {
    "csv": _delimited,
    "tsv": _delimited,
    "jsonl": _json,
    "lines": _lines,
    "course": _course,
}


def _added(output: Output, each: RowPrediction) -> dict[str, Any]:
    """Return the added columns of a row."""
    names, kind = output.names, output.task.kind
    if each.record is None:
        return {names["error"]: each.error}
    cells = {names["prediction"]: each.record["prediction"]}
    for name in kind.columns:
        if name in each.record:
            cells[names[name]] = each.record[name]
    for name in kind.probability_names:
        cells[names[f"p_{name}"]] = each.record["probabilities"][name]
    if output.format == "parquet":
        texts = [names[name] for name, cell in kind.columns.items() if cell in (str, object)]
        cells |= {name: cell_text(cells[name]) for name in texts if name in cells}
    return cells


def _prediction_types(output: Output) -> dict[str, Any]:
    import polars as pl

    span = pl.Struct({"start": pl.Int64, "end": pl.Int64, "label": pl.String, "text": pl.String})
    lists: dict[type, Any] = {list: pl.List(pl.String), dict: pl.List(span), np.ndarray: pl.List(pl.Float64)}
    types: dict[type, Any] = {str: pl.String, int: pl.Int64, bool: pl.Boolean, float: pl.Float64, **lists}
    types[object] = pl.String
    own = {output.names[name]: types[cell] for name, cell in output.task.kind.columns.items()}
    return {**dict.fromkeys(output.names.values(), pl.Float64), **own, output.names["error"]: pl.String}


def _text_frame(output: Output, chunk: Sequence[RowPrediction]) -> pl.DataFrame:
    import polars as pl

    rows = [output.table.cells(each.row) for each in chunk]
    cells = {name: [row.get(name) for row in rows] for name in output.table.columns}
    texts = {name: [None if cell is None else cell_text(cell) for cell in column] for name, column in cells.items()}
    return pl.DataFrame(texts, schema=dict.fromkeys(texts, pl.String))


def _typed_frame(source: Parquet, start: int, chunk: Sequence[RowPrediction]) -> pl.DataFrame:
    """Return rows of a Parquet file as they are in it. Named classes are text."""
    import polars as pl

    frame = source.frame(start, len(chunk))
    named = []
    for name in source.named_columns:
        cells = [_as_text(_cell(each, name)) for each in chunk]
        of = pl.List(pl.String) if isinstance(frame.schema[name], pl.List) else pl.String
        named.append(pl.Series(name, cells, of))
    return frame.with_columns(named)


def _as_text(cell: object) -> object:
    """Return the name of a class, or the names in a list, as plain text. None is unchanged."""
    if isinstance(cell, list | tuple):
        return [_as_text(each) for each in cell]
    return None if cell is None else str(cell)


def _cell(each: RowPrediction, name: str) -> object:
    return getattr(each.row, "values", {}).get(name)
