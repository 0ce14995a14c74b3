"""Answering a file: rows in, one record a row out, in order, a few thousand rows in memory at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from manyheads.data.examples import require_column, text_of
from manyheads.data.reading import BadRow, Row, Source, open_source
from manyheads.data.reading.plain import PlainLines
from manyheads.errors import DataError
from manyheads.inference.predictor import CHUNK, Predictor
from manyheads.tasks.kind import LabelError
from manyheads.tasks.records import record_of
from manyheads.tasks.task import Task

PLAIN_ENDINGS = (".txt", "")
"""Files that may be plain lines: those whose ending promises no columns."""


def open_input(path: Path, task: Task) -> Source:
    """The rows of an input file for a task: by its columns, or plain lines where a text file has no such header.

    Raises:
        DataError: there is no such file, it is empty, or lacks a text column of the task.
    """
    if path.suffix.lower() in PLAIN_ENDINGS and path.is_file() and not _has_header(path, task):
        if path.stat().st_size == 0:
            raise DataError("the file is empty", where=str(path))
        return PlainLines(path, task.text)
    source = open_source(str(path.absolute()), path.parent)
    for column in task.text:
        require_column(source, column, task.name)
    return source


def answer(predictor: Predictor, task: Task, source: Source) -> Iterator[dict[str, object]]:
    """One record a row: `id` with the prediction, or `line` and `error` for a row that cannot be answered."""
    rows = source.rows()
    id_column = _id_column(task, source)
    seen = 0
    while chunk := list(islice(rows, CHUNK)):
        yield from _answer_chunk(predictor, task, [_read(task, row, source.name) for row in chunk], id_column, seen)
        seen += len(chunk)


Reading = tuple[Row, tuple[str, ...]] | BadRow


def _answer_chunk(
    predictor: Predictor, task: Task, chunk: list[Reading], id_column: str | None, seen: int
) -> Iterator[dict[str, object]]:
    texts = [read[1] for read in chunk if not isinstance(read, BadRow)]
    decoded = predictor.decode(task, texts) if texts else None
    position = 0
    for number, read in enumerate(chunk, start=seen + 1):
        if isinstance(read, BadRow):
            yield {"line": read.line, "error": read.reason}
        elif decoded is not None:
            cell = None if id_column is None else read[0].values.get(id_column)
            name = str(number) if cell is None or cell == "" else str(cell)
            yield {"id": name, **record_of(task.kind, decoded, position)}
            position += 1


def _read(task: Task, row: Row | BadRow, source: str) -> Reading:
    if isinstance(row, BadRow):
        return row
    try:
        return row, tuple(text_of(row, column) for column in task.text)
    except LabelError as error:
        return BadRow(source, row.line, str(error))


def _id_column(task: Task, source: Source) -> str | None:
    wanted = task.id or "id"
    return wanted if wanted in source.columns else None


def _has_header(path: Path, task: Task) -> bool:
    with path.open(encoding="utf-8", errors="replace") as file:
        first = file.readline()
    return all(column in first for column in task.text) and (len(task.text) > 1 or first.strip() != task.text[0])
