"""Predictions for the rows of a file, in order. A few thousand rows are in memory at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

from manyheads.data.examples import require_column, text_of
from manyheads.data.reading import BadRow, Files, Row, Source, TextFormat, from_here, open_source
from manyheads.data.reading.combined import Grouped
from manyheads.data.reading.delimited import DELIMITERS, Delimited
from manyheads.data.reading.lines import read_lines, uncompressed_name
from manyheads.data.reading.paths import check_readable
from manyheads.data.reading.plain import PlainLines
from manyheads.data.reading.text_format import USUAL
from manyheads.errors import DataError
from manyheads.inference.predictor import CHUNK, Predictor
from manyheads.tasks.kind import LabelError
from manyheads.tasks.task import Task

PLAIN_ENDINGS = (".txt", "")
"""Endings of files that may contain plain lines without a header."""

TRIED = 20
"""Records after a first line that show whether it is a header."""


@dataclass(frozen=True)
class RowPrediction:
    """The prediction for one input row.

    `record`: `id`, `prediction`, and `probabilities` or `value`, or None if the row has no prediction; `error` then
    has the reason.
    """

    row: Row | BadRow
    record: Mapping[str, Any] | None
    error: str | None = None


def open_input(spec: Files, task: Task, text: TextFormat = USUAL) -> Source:
    """Open the input for a task: a file, a folder, a pattern, a data set on the hub, or the file of each column.

    A text file (`.txt` or no ending) is read as plain lines unless its first line is a header with the task's text
    columns.

    Args:
        spec: the input.
        task: the task whose text columns are read.
        text: how text files are written. The format may also be "lines", for plain lines. Default: found from the name
            and the first lines.

    Raises:
        DataError: the file is missing or empty, or lacks a text column of the task.
    """
    files = from_here(spec)
    if isinstance(files, Mapping):
        source = open_source(files, Path(), replace(text, format=None))
    elif not isinstance(files, str):
        source = open_source(files, Path(), text, wanted=task.columns, optional=_optional(task))
    elif text.format == "lines":
        check_readable(Path(files))
        return _plain(Path(files), task, text)
    elif text.format is None and _may_be_plain(Path(files)):
        if not has_header(Path(files), task, text):
            return _plain(Path(files), task, text)
        source = Delimited(Path(files), text, wanted=task.columns)
    else:
        source = open_source(files, Path(), text, wanted=task.columns, optional=_optional(task))
    key = task.kind.gathered_by
    for column in (*task.columns, *(() if key is None else (key,))):
        require_column(source, column, task.name)
    if key is None:
        return source
    return Grouped(source, key, task.kind.input_columns, task.text, words=task.kind.reads == "tokens")


def _optional(task: Task) -> tuple[str, ...]:
    """Return the columns that the input of a task may have."""
    return tuple(each for each in (task.id, task.kind.names) if each is not None)


def _may_be_plain(path: Path) -> bool:
    return path.is_file() and uncompressed_name(path).suffix.lower() in PLAIN_ENDINGS


def has_header(path: Path, task: Task, text: TextFormat = USUAL) -> bool:
    """Return whether the first line of a text file is a header with the task's text columns.

    Its cells must be the names of the columns, and at least half of the next records must have as many fields.
    """
    if text.delimiter is not None or text.columns is not None:
        return True
    try:
        source = Delimited(path, text, wanted=task.text)
    except DataError:
        return any(set(task.text) <= _cells(path, text, mark) for mark in DELIMITERS)
    if not set(task.text) <= set(source.columns):
        return False
    records = list(islice(source.rows(), TRIED))
    return 2 * sum(isinstance(row, Row) for row in records) >= len(records)


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
        if isinstance(row, BadRow) or isinstance(texts_or_reason, str) or decoded is None:
            yield RowPrediction(row, None, str(texts_or_reason))
            continue
        cell = None if id_column is None else row.values.get(id_column)
        name = str(number) if cell is None or cell == "" else str(cell)
        yield RowPrediction(row, {"id": name, **task.kind.record(decoded, position)})
        position += 1


def _read(task: Task, row: Row | BadRow) -> Reading:
    if isinstance(row, BadRow):
        return row, row.reason
    try:
        texts = tuple(text_of(row, column, one=task.kind.vectors) for column in task.text)
        if task.kind.reads != "candidates":
            return row, texts
        return row, (" ".join(texts), *task.kind.candidates(row.values).texts)
    except LabelError as error:
        return row, str(error)


def _id_column(task: Task, source: Source) -> str | None:
    wanted = task.id or task.kind.gathered_by or "id"
    return wanted if wanted in source.columns else None


def _plain(path: Path, task: Task, text: TextFormat) -> Source:
    if path.stat().st_size == 0:
        raise DataError("the file is empty", where=str(path), allowed="one text per line")
    return PlainLines(path, task.text, text)


def _cells(path: Path, text: TextFormat, delimiter: str) -> set[str]:
    """Return the cells of the first line of a file, or nothing if its quotes are broken."""
    first = next(read_lines(path, text.encoding), None)
    try:
        fields = next(csv.reader([] if first is None else [first.text.strip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return set()
    return {field.strip() for field in fields}
