"""The forms in which answers are written: the input's own, with what was asked beside every row."""

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
from manyheads.inference.answer import Answer
from manyheads.tasks.records import course_header, course_lines
from manyheads.tasks.task import Task

FORMS = ("csv", "tsv", "jsonl", "parquet", "lines", "course")

ROWS = 8192
"""Rows of a Parquet file in memory at once."""


def form_of(source: Source) -> str:
    """The form that a source has itself."""
    if isinstance(source, Delimited):
        return "tsv" if source.delimiter == "\t" else "csv"
    if isinstance(source, JsonLines):
        return "jsonl"
    return "parquet" if isinstance(source, Parquet) else "lines"


def added_columns(task: Task, columns: Sequence[str]) -> dict[str, str]:
    """The names that answers get in a table beside columns of its own: what it is to name, underscores where taken.

    `prediction`, for classes `p_LABEL` of each label, and `error`.
    """
    labels = task.kind.labels or ()
    found: dict[str, str] = {}
    for wanted in ("prediction", *(f"p_{label}" for label in labels), "error"):
        name = wanted
        while name in columns or name in found.values():
            name += "_"
        found[wanted] = name
    return found


def write_text(form: str, task: Task, source: Source, answers: Iterable[Answer], file: TextIO) -> None:
    """Write answers in a form of text.

    Raises:
        DataError: the course's form, and the task's labels are names.
    """
    file.writelines(_TEXT[form](task, source, answers))


def write_parquet(task: Task, source: Source, answers: Iterable[Answer], path: Path, scratch: Path) -> None:
    """Write answers as Parquet: the input's columns in their own types where it is Parquet, else as text."""
    import polars as pl

    names = added_columns(task, source.columns)
    types: dict[str, Any] = dict.fromkeys(source.columns, pl.String)
    if isinstance(source, Parquet):
        types = dict(source.schema)
    types |= _answer_types(task, names)
    rest = iter(answers)
    parts: list[Path] = []
    while chunk := list(islice(rest, ROWS)):
        rows = [{**_values(each, types), **_cells(task, each, names)} for each in chunk]
        parts.append(scratch / f"part-{len(parts):06d}.parquet")
        pl.DataFrame(rows, schema=types, orient="row").write_parquet(parts[-1])
    pl.scan_parquet(parts).sink_parquet(path)


def _delimited(delimiter: str | None) -> Callable[[Task, Source, Iterable[Answer]], Iterator[str]]:
    def lines(task: Task, source: Source, answers: Iterable[Answer]) -> Iterator[str]:
        own = source.delimiter if isinstance(source, Delimited) else ","
        chosen = delimiter or ("," if own == "\t" else own)
        names = added_columns(task, source.columns)
        buffer = io.StringIO()
        columns = [*source.columns, *names.values()]
        writer = csv.DictWriter(buffer, columns, delimiter=chosen, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for each in answers:
            writer.writerow({**(each.values or {}), **_cells(task, each, names)})
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
        yield buffer.getvalue()

    return lines


def _json(task: Task, source: Source, answers: Iterable[Answer]) -> Iterator[str]:
    del task, source
    for each in answers:
        own = dict(each.values or {})
        record = {"line": each.line, "error": each.error} if each.record is None else each.record
        # What the row says of itself stays: only an "id" that it lacks is added.
        found = {**own, **{name: value for name, value in record.items() if name != "id" or "id" not in own}}
        yield json.dumps(found, ensure_ascii=False, default=str) + "\n"


def _plain(task: Task, source: Source, answers: Iterable[Answer]) -> Iterator[str]:
    del task, source
    for each in answers:
        yield ("" if each.record is None else str(each.record["prediction"])) + "\n"


def _course(task: Task, source: Source, answers: Iterable[Answer]) -> Iterator[str]:
    del source
    yield course_header(task)
    yield from course_lines(task, (dict(each.record) for each in answers if each.record is not None))


_TEXT: dict[str, Callable[[Task, Source, Iterable[Answer]], Iterator[str]]] = {
    "csv": _delimited(None),
    "tsv": _delimited("\t"),
    "jsonl": _json,
    "lines": _plain,
    "course": _course,
}


def _cells(task: Task, each: Answer, names: Mapping[str, str]) -> dict[str, Any]:
    """An answer's own columns."""
    if each.record is None:
        return {names["error"]: each.error}
    cells = {names["prediction"]: each.record["prediction"]}
    if task.kind.labels is not None:
        chances = each.record["probabilities"]
        cells |= {names[f"p_{label}"]: chances[str(label)] for label in task.kind.labels}
    return cells


def _answer_types(task: Task, names: Mapping[str, str]) -> dict[str, Any]:
    import polars as pl

    labels = task.kind.labels
    if labels is None:
        prediction: Any = pl.Float64
    else:
        prediction = pl.Int64 if all(isinstance(label, int) for label in labels) else pl.String
    types: dict[str, Any] = dict.fromkeys(names.values(), pl.Float64)
    return {**types, names["prediction"]: prediction, names["error"]: pl.String}


def _values(each: Answer, types: Mapping[str, Any]) -> dict[str, Any]:
    """A row's own columns; as text where that is their type and they are something else."""
    import polars as pl

    return {
        name: str(value) if types[name] == pl.String and value is not None else value
        for name, value in (each.values or {}).items()
        if name in types
    }


def check_output(form: str, output: Path | None, *, terminal: bool) -> None:
    """Refuse to write bytes to a terminal.

    Raises:
        DataError: Parquet, and nowhere to write it.
    """
    if form == "parquet" and output is None and terminal:
        raise DataError("Parquet is no text for a terminal", hint="name a file with --output, or --format jsonl")
