"""Predictions for the rows of a file, in order. A few thousand rows are in memory at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.data.examples import require_column, text_of
from manyheads.data.reading import BadRow, Row, Source, open_source
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.json_lines import JsonLines
from manyheads.data.reading.parquet import Parquet
from manyheads.data.reading.plain import PlainLines
from manyheads.errors import DataError
from manyheads.inference.predictor import CHUNK, Predictor
from manyheads.tasks.kind import LabelError
from manyheads.tasks.records import record_of
from manyheads.tasks.task import Task

PLAIN_ENDINGS = (".txt", "")
"""Endings of files that may contain plain lines without a header."""

READERS: dict[str, Callable[[Path], Source]] = {
    "csv": Delimited,
    "tsv": Delimited,
    "jsonl": JsonLines,
    "parquet": Parquet,
}
"""Readers by input format. `open_input` also accepts "lines"."""


@dataclass(frozen=True)
class RowPrediction:
    """The prediction for one input row.

    `line`: line of the file, from 1. `values`: the columns of the row, or None if the row could not be read.
    `record`: `id`, `prediction`, and `probabilities` or `value`, or None if the row has no prediction; `error` then
    has the reason.
    """

    line: int
    values: Mapping[str, Any] | None
    record: Mapping[str, Any] | None
    error: str | None = None


def open_input(path: Path, task: Task, format_: str | None = None) -> Source:
    """Open an input file for a task.

    A text file (`.txt` or no ending) without the task's text columns in its first line is read as plain lines.

    Args:
        path: the input file.
        task: the task whose text columns are read.
        format_: "csv", "tsv", "jsonl", "parquet" or "lines". Default: found from the name and the first line.

    Raises:
        DataError: the file is missing or empty, or lacks a text column of the task.
    """
    if format_ is not None and not path.is_file():
        raise DataError("there is no such file", where=str(path))
    plain = format_ == "lines" or (
        format_ is None and path.suffix.lower() in PLAIN_ENDINGS and path.is_file() and not _has_header(path, task)
    )
    if plain:
        if path.stat().st_size == 0:
            raise DataError("the file is empty", where=str(path))
        return PlainLines(path, task.text)
    source = open_source(str(path.absolute()), path.parent) if format_ is None else READERS[format_](path)
    for column in task.text:
        require_column(source, column, task.name)
    return source


def predict_rows(predictor: Predictor, task: Task, source: Source) -> Iterator[RowPrediction]:
    """Predict a task for every row of a source, in order."""
    rows = source.rows()
    id_column = _id_column(task, source)
    seen = 0
    while chunk := list(islice(rows, CHUNK)):
        yield from _predict_chunk(predictor, task, [_read(task, row) for row in chunk], id_column, seen)
        seen += len(chunk)


Reading = tuple[Row | BadRow, tuple[str, ...] | str]
"""A row with its texts, or with the reason why it has none."""


def _predict_chunk(
    predictor: Predictor, task: Task, chunk: list[Reading], id_column: str | None, seen: int
) -> Iterator[RowPrediction]:
    texts = [texts for _, texts in chunk if not isinstance(texts, str)]
    decoded = predictor.decode(task, texts) if texts else None
    position = 0
    for number, (row, texts_or_reason) in enumerate(chunk, start=seen + 1):
        values = None if isinstance(row, BadRow) else row.values
        if isinstance(texts_or_reason, str) or decoded is None:
            yield RowPrediction(row.line, values, None, str(texts_or_reason))
            continue
        cell = None if id_column is None or values is None else values.get(id_column)
        name = str(number) if cell is None or cell == "" else str(cell)
        yield RowPrediction(row.line, values, {"id": name, **record_of(task.kind, decoded, position)})
        position += 1


def _read(task: Task, row: Row | BadRow) -> Reading:
    if isinstance(row, BadRow):
        return row, row.reason
    try:
        return row, tuple(text_of(row, column) for column in task.text)
    except LabelError as error:
        return row, str(error)


def _id_column(task: Task, source: Source) -> str | None:
    wanted = task.id or "id"
    return wanted if wanted in source.columns else None


def _has_header(path: Path, task: Task) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    return all(column in first for column in task.text) and (len(task.text) > 1 or first.strip() != task.text[0])
