"""`manyheads predict`: predict one task for every row of a file."""

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
    from manyheads.inference.rows import RowPrediction
    from manyheads.tasks.task import Task

RunFolderArgument = Annotated[
    Path,
    typer.Argument(metavar="RUN", help="Folder of a finished run, or a bundle or an export of it.", show_default=False),
]

INCOMPLETE = 3
"""Exit status if the output was written and some rows have no prediction."""


class InputFormat(StrEnum):
    """Format of the input."""

    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    parquet = "parquet"
    lines = "lines"


class RuntimeName(StrEnum):
    """Runtime of the model."""

    torch = "torch"
    onnx = "onnx"


RuntimeOption = Annotated[
    RuntimeName,
    typer.Option(
        "--runtime",
        help="Runtime of the model. onnx needs `manyheads export` and runs without torch.",
    ),
]


class Format(StrEnum):
    """Format of the output."""

    same = "same"
    csv = "csv"
    tsv = "tsv"
    jsonl = "jsonl"
    parquet = "parquet"
    lines = "lines"
    course = "course"


def predict(
    run: RunFolderArgument,
    task: Annotated[str, typer.Option("--task", help="Task to predict.", show_default=False)],
    input_: Annotated[
        str,
        typer.Option(
            "--input", metavar="FILE", help="TSV, CSV, JSON lines, Parquet or plain lines. - reads standard input."
        ),
    ] = "-",
    output: Annotated[
        Path | None,
        typer.Option("--output", metavar="FILE", help="File to write. Default: standard output.", show_default=False),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Compute in 8-bit integers. `evaluate --int8` measures the difference.")
    ] = False,
    runtime: RuntimeOption = RuntimeName.torch,
    input_format: Annotated[
        InputFormat | None,
        typer.Option(
            "--input-format",
            help="Format of the input. Default: found from the name and the first bytes.",
            show_default=False,
        ),
    ] = None,
    format_: Annotated[
        Format,
        typer.Option("--format", help="Format of the output. same: as the input. course: as in the reference course."),
    ] = Format.same,
) -> None:
    """Predict one task of a finished run for every row of a file, in order.

    The output has the columns of the input and the predictions.

    Rows without a prediction keep their place and are named on standard error. The exit status is then 3.
    """
    import manyheads
    from manyheads.inference.formats import check_output, format_of
    from manyheads.inference.rows import open_input, predict_rows

    predictor = manyheads.load(run, int8=int8, runtime=runtime.value)
    wanted = predictor.task(task)
    with tempfile.TemporaryDirectory() as scratch:
        path = _spool(Path(scratch)) if input_ == "-" else Path(input_)
        source = open_input(path, wanted, None if input_format is None else input_format.value)
        output_format = format_of(source) if format_ is Format.same else format_.value
        check_output(output_format, output, terminal=sys.stdout.isatty())
        tally = _Tally("standard input" if input_ == "-" else input_)
        predictions = tally.counted(predict_rows(predictor, wanted, source))
        _write(output_format, wanted, source, predictions, output, Path(scratch))
    if tally.failed:
        typer.secho(f"rows without a prediction: {tally.failed:,} of {tally.rows:,}", fg=typer.colors.YELLOW, err=True)
        raise typer.Exit(INCOMPLETE)


class _Tally:
    """Counts rows, and prints the reason for each row without a prediction."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.rows = self.failed = 0

    def counted(self, predictions: Iterable[RowPrediction]) -> Iterator[RowPrediction]:
        """Yield the predictions unchanged."""
        for each in predictions:
            self.rows += 1
            if each.record is None:
                self.failed += 1
                typer.echo(f"{self.name}:{each.line}: {each.error}", err=True)
            yield each


def _write(
    format_: str, task: Task, source: Source, predictions: Iterator[RowPrediction], output: Path | None, scratch: Path
) -> None:
    from manyheads.inference.formats import added_columns, write_parquet, write_text

    if format_ in ("csv", "tsv", "parquet"):
        for wanted, name in added_columns(task, source.columns).items():
            if name != wanted:
                typer.echo(f"the input has a column {wanted}, so the added column is named {name}", err=True)
    if format_ == "parquet":
        with _file(output, scratch) as path:
            write_parquet(task, source, predictions, path, scratch)
    elif output is None:
        write_text(format_, task, source, predictions, sys.stdout)
    else:
        with _file(output, scratch) as path, path.open("w", encoding="utf-8", newline="") as file:
            write_text(format_, task, source, predictions, file)


@contextmanager
def _file(output: Path | None, scratch: Path) -> Iterator[Path]:
    """Yield a temporary file that replaces the output file, or is copied to standard output, when it is complete."""
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
    """Copy standard input to a file. Its ending is found from the first bytes: Parquet, JSON lines or text."""
    path = scratch / "input.txt"
    with path.open("wb") as file:
        shutil.copyfileobj(sys.stdin.buffer, file)
    with path.open("rb") as file:
        beginning = file.read(64)
    if beginning.startswith(b"PAR1"):
        return path.rename(path.with_suffix(".parquet"))
    return path.rename(path.with_suffix(".jsonl")) if beginning.lstrip().startswith(b"{") else path
