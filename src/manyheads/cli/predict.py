"""`manyheads predict`: answer one task for every text of a file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manyheads.tasks.task import Task

RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A finished run's folder, or the folder model of one.", show_default=False)
]


class Format(StrEnum):
    """How predictions are written."""

    jsonl = "jsonl"
    course = "course"


def predict(
    run: RunFolderArgument,
    task: Annotated[str, typer.Option("--task", help="The task to answer.", show_default=False)],
    input_: Annotated[
        str,
        typer.Option("--input", metavar="FILE", help="TSV, CSV, JSONL, Parquet or plain lines; - is standard input."),
    ] = "-",
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Default: standard output.", show_default=False)
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Answer in 8-bit integers (evaluate --int8 tells what that costs).")
    ] = False,
    format_: Annotated[
        Format, typer.Option("--format", help="JSON lines, or the reference course's two columns.")
    ] = Format.jsonl,
) -> None:
    """Answer one task of a finished run for every text of a file."""
    import manyheads
    from manyheads.inference.answer import answer, open_input
    from manyheads.run.atomic import replacing

    predictor = manyheads.load(run, int8=int8)
    wanted = predictor.task(task)
    with tempfile.TemporaryDirectory() as scratch:
        path = _spool(Path(scratch)) if input_ == "-" else Path(input_)
        faults: list[dict[str, object]] = []
        found = answer(predictor, wanted, open_input(path, wanted))
        lines = _lines(wanted, _aside(found, faults), format_)
        if output is None:
            sys.stdout.writelines(lines)
        else:
            with replacing(output) as temporary, temporary.open("w", encoding="utf-8") as file:
                file.writelines(lines)
    for fault in faults[:10]:
        typer.echo(f"{input_}:{fault['line']}: {fault['error']}", err=True)
    if faults:
        typer.secho(f"{len(faults)} rows could not be answered", fg=typer.colors.YELLOW, err=True)


def _lines(task: Task, found: Iterable[dict[str, object]], form: Format) -> Iterator[str]:
    from manyheads.tasks.records import course_header, course_lines, json_lines

    if form is Format.jsonl:
        yield from json_lines(found)
        return
    yield course_header(task)
    yield from course_lines(task, (record for record in found if "error" not in record))


def _aside(found: Iterable[dict[str, object]], faults: list[dict[str, object]]) -> Iterator[dict[str, object]]:
    """Pass records on, and note those that are faults."""
    for record in found:
        if "error" in record:
            faults.append(record)
        yield record


def _spool(scratch: Path) -> Path:
    """Standard input as a file: JSON lines where it begins with an object, else text."""
    path = scratch / "input.txt"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    with path.open("rb") as file:
        is_json = file.read(64).lstrip().startswith(b"{")
    return path.rename(path.with_suffix(".jsonl")) if is_json else path
