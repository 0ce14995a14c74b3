"""Output formats of `manyheads predict`: the columns of the input and the predictions."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TextIO

from manyheads.data.reading import Source
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.json_lines import JsonLines
from manyheads.data.reading.parquet import Parquet
from manyheads.errors import DataError
from manyheads.inference.rows import RowPrediction
from manyheads.tasks.course import course_header, course_lines
from manyheads.tasks.task import Task

FORMATS = ("csv", "tsv", "jsonl", "parquet", "lines", "course")

ROWS = 8192
"""Number of rows of a Parquet file in memory."""


def format_of(source: Source) -> str:
    """Return the format of a source."""
    if isinstance(source, Delimited):
        return "tsv" if source.delimiter == "\t" else "csv"
    if isinstance(source, JsonLines):
        return "jsonl"
    return "parquet" if isinstance(source, Parquet) else "lines"


def added_columns(task: Task, columns: Sequence[str]) -> dict[str, str]:
    """Return the name of each added column: `prediction`, `p_LABEL` for each label of a classification, and `error`.

    Underscores are appended to a name that the input already has.
    """
    labels = task.kind.labels or ()
    names: dict[str, str] = {}
    for wanted in ("prediction", *(f"p_{label}" for label in labels), "error"):
        name = wanted
        while name in columns or name in names.values():
            name += "_"
        names[wanted] = name
    return names


def write_text(format_: str, task: Task, source: Source, predictions: Iterable[RowPrediction], file: TextIO) -> None:
    """Write predictions in a text format.

    Raises:
        DataError: the format is "course" and the labels of the task are not numbers.
    """
    file.writelines(_TEXT[format_](task, source, predictions))


def write_parquet(task: Task, source: Source, predictions: Iterable[RowPrediction], path: Path, scratch: Path) -> None:
    """Write predictions as Parquet. The input's columns keep their types if it is Parquet, and are text otherwise."""
    import polars as pl

    names = added_columns(task, source.columns)
    types: dict[str, Any] = dict.fromkeys(source.columns, pl.String)
    if isinstance(source, Parquet):
        types = dict(source.schema)
    types |= _prediction_types(task, names)
    rest = iter(predictions)
    parts: list[Path] = []
    while chunk := list(islice(rest, ROWS)):
        rows = [{**_values(each, types), **_cells(task, each, names)} for each in chunk]
        parts.append(scratch / f"part-{len(parts):06d}.parquet")
        pl.DataFrame(rows, schema=types, orient="row").write_parquet(parts[-1])
    pl.scan_parquet(parts).sink_parquet(path)


def _delimited(delimiter: str | None) -> Callable[[Task, Source, Iterable[RowPrediction]], Iterator[str]]:
    def lines(task: Task, source: Source, predictions: Iterable[RowPrediction]) -> Iterator[str]:
        own = source.delimiter if isinstance(source, Delimited) else ","
        chosen = delimiter or ("," if own == "\t" else own)
        names = added_columns(task, source.columns)
        buffer = io.StringIO()
        columns = [*source.columns, *names.values()]
        writer = csv.DictWriter(buffer, columns, delimiter=chosen, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for each in predictions:
            writer.writerow({**(each.values or {}), **_cells(task, each, names)})
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
        yield buffer.getvalue()

    return lines


def _json(task: Task, source: Source, predictions: Iterable[RowPrediction]) -> Iterator[str]:
    del task, source
    for each in predictions:
        own = dict(each.values or {})
        record = {"line": each.line, "error": each.error} if each.record is None else each.record
        # The row keeps its own "id".
        line = {**own, **{name: value for name, value in record.items() if name != "id" or "id" not in own}}
        yield json.dumps(line, ensure_ascii=False, default=str) + "\n"


def _plain(task: Task, source: Source, predictions: Iterable[RowPrediction]) -> Iterator[str]:
    del task, source
    for each in predictions:
        yield ("" if each.record is None else str(each.record["prediction"])) + "\n"


def _course(task: Task, source: Source, predictions: Iterable[RowPrediction]) -> Iterator[str]:
    del source
    yield course_header(task)
    yield from course_lines(task, (dict(each.record) for each in predictions if each.record is not None))


_TEXT: dict[str, Callable[[Task, Source, Iterable[RowPrediction]], Iterator[str]]] = {
    "csv": _delimited(None),
    "tsv": _delimited("\t"),
    "jsonl": _json,
    "lines": _plain,
    "course": _course,
}


def _cells(task: Task, each: RowPrediction, names: Mapping[str, str]) -> dict[str, Any]:
    """Return the added columns of a row."""
    if each.record is None:
        return {names["error"]: each.error}
    cells = {names["prediction"]: each.record["prediction"]}
    if task.kind.labels is not None:
        probabilities = each.record["probabilities"]
        cells |= {names[f"p_{label}"]: probabilities[str(label)] for label in task.kind.labels}
    return cells


def _prediction_types(task: Task, names: Mapping[str, str]) -> dict[str, Any]:
    import polars as pl

    labels = task.kind.labels
    if labels is None:
        prediction: Any = pl.Float64
    else:
        prediction = pl.Int64 if all(isinstance(label, int) for label in labels) else pl.String
    types: dict[str, Any] = dict.fromkeys(names.values(), pl.Float64)
    return {**types, names["prediction"]: prediction, names["error"]: pl.String}


def _values(each: RowPrediction, types: Mapping[str, Any]) -> dict[str, Any]:
    """Return the input columns of a row, converted to text where the column's type is text."""
    import polars as pl

    return {
        name: str(value) if types[name] == pl.String and value is not None else value
        for name, value in (each.values or {}).items()
        if name in types
    }


def check_output(format_: str, output: Path | None, *, terminal: bool) -> None:
    """Check that Parquet is not written to a terminal.

    Raises:
        DataError: it would be.
    """
    if format_ == "parquet" and output is None and terminal:
        raise DataError(
            "Parquet cannot be written to a terminal", hint="name a file with --output, or use --format jsonl"
        )
