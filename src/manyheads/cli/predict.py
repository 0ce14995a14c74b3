"""`manyheads predict`: answer one task for every text of a file."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from manyheads.data.reading import Source
    from manyheads.inference.answer import Answer
    from manyheads.tasks.task import Task

RunFolderArgument = Annotated[
    Path, typer.Argument(metavar="RUN", help="A finished run's folder, or the folder model of one.", show_default=False)
]

UNANSWERED = 3
"""The exit status where all was written and some rows could not be answered."""


class InputFormat(StrEnum):
    """What the input is."""

    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    parquet = "parquet"
    lines = "lines"


class Format(StrEnum):
    """How predictions are written."""

    same = "same"
    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    parquet = "parquet"
    lines = "lines"
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
    input_format: Annotated[
        InputFormat | None,
        typer.Option("--input-format", help="Default: what the file's name or beginning says.", show_default=False),
    ] = None,
    format_: Annotated[
        Format, typer.Option("--format", help="The input's own form, or another; course: the reference course's.")
    ] = Format.same,
) -> None:
    """Answer one task of a finished run for every text of a file, in order.

    A row that cannot be answered keeps its place, is named on standard error, and makes the exit status 3.
    """
    import manyheads
    from manyheads.inference.answer import answer, open_input
    from manyheads.inference.forms import check_output, form_of

    predictor = manyheads.load(run, int8=int8)
    wanted = predictor.task(task)
    with tempfile.TemporaryDirectory() as scratch:
        path = _spool(Path(scratch)) if input_ == "-" else Path(input_)
        source = open_input(path, wanted, None if input_format is None else input_format.value)
        form = form_of(source) if format_ is Format.same else format_.value
        check_output(form, output, terminal=sys.stdout.isatty())
        tally = _Tally("standard input" if input_ == "-" else input_)
        _write(form, wanted, source, tally.watching(answer(predictor, wanted, source)), output, Path(scratch))
    if tally.unanswered:
        rows = "1 row" if tally.unanswered == 1 else f"{tally.unanswered:,} rows"
        typer.secho(f"{rows} of {tally.rows:,} could not be answered", fg=typer.colors.YELLOW, err=True)
        raise typer.Exit(UNANSWERED)


class _Tally:
    """Counts rows, and names those that could not be answered."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = self.unanswered = 0

    def watching(self, answers: Iterable[Answer]) -> Iterator[Answer]:
        for each in answers:
            self.rows += 1
            if each.record is None:
                self.unanswered += 1
                typer.echo(f"{self.name}:{each.line}: {each.error}", err=True)
            yield each


def _write(
    form: str, task: Task, source: Source, answers: Iterator[Answer], output: Path | None, scratch: Path
) -> None:
    from manyheads.inference.forms import added_columns, write_parquet, write_text

    if form in ("csv", "tsv", "parquet"):
        for wanted, name in added_columns(task, source.columns).items():
            if name != wanted:
                typer.echo(f"the input has a column {wanted}: the answers' own is named {name}", err=True)
    if form == "parquet":
        with _file(output, scratch) as path:
            write_parquet(task, source, answers, path, scratch)
    elif output is None:
        write_text(form, task, source, answers, sys.stdout)
    else:
        with _file(output, scratch) as path, path.open("w", encoding="utf-8", newline="") as file:
            write_text(form, task, source, answers, file)


@contextmanager
def _file(output: Path | None, scratch: Path) -> Iterator[Path]:
    """Where to write: a file that takes the output's place when it is whole, or one that goes to standard output."""
    from manyheads.run.atomic import replacing

    if output is not None:
        with replacing(output) as temporary:
            yield temporary
        return
    path = scratch / "output"
    yield path
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


def _spool(scratch: Path) -> Path:
    """Standard input as a file, its name as its beginning says: Parquet, JSON lines, else text."""
    path = scratch / "input.txt"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    with path.open("rb") as file:
        beginning = file.read(64)
    if beginning.startswith(b"PAR1"):
        return path.rename(path.with_suffix(".parquet"))
    return path.rename(path.with_suffix(".jsonl")) if beginning.lstrip().startswith(b"{") else path
