"""`manyheads predict`: predict one task for every row of a file."""

from __future__ import annotations

import errno
import re
import shutil
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.cli.terminal import say, shown_output
from manyheads.cli.text_format import (
    ColumnsOption,
    DecimalMark,
    DelimiterOption,
    EncodingOption,
    QuotingOption,
    typed_files,
    typed_format,
)
from manyheads.errors import DataError, RunError

if TYPE_CHECKING:
    from manyheads.inference.formats import Output
    from manyheads.inference.rows import RowPrediction

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
    json = "json"
    jsonl = "jsonl"
    parquet = "parquet"
    conll = "conll"
    conllu = "conllu"
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
            "--input",
            metavar="FILE",
            help="TSV, CSV, JSON, JSON lines, Parquet, CoNLL or plain lines, or a folder, a pattern, a data set on the "
            "hub, or a file of lines for each column: '{text = \"seq.in\"}'. - reads standard input.",
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
            metavar="FORMAT",
            help="Format of the input: csv, tsv, json, jsonl, parquet, conll, conllu, or lines. Default: found from "
            "the name and the first bytes.",
            show_default=False,
        ),
    ] = None,
    delimiter: DelimiterOption = None,
    quoting: QuotingOption = None,
    encoding: EncodingOption = None,
    decimal: Annotated[
        DecimalMark | None,
        typer.Option("--decimal", help="Decimal mark of the numbers that CSV output gets.", show_default=False),
    ] = None,
    columns: ColumnsOption = None,
    format_: Annotated[
        Format,
        typer.Option("--format", help="Format of the output. same: as the input. course: as in the reference course."),
    ] = Format.same,
    escape_formulas: Annotated[
        bool,
        typer.Option(
            "--escape-formulas",
            help="Put a quote before text in CSV and TSV output that a spreadsheet reads as a formula. By default, the "
            "input's cells are written as they are.",
        ),
    ] = False,
) -> None:
    """Predict one task of a finished run for every row of a file, in order.

    The output has every cell of the input and the predictions.

    Rows without a prediction keep their place and are named on standard error. The exit status is then 3.
    """
    import manyheads
    from manyheads.data.reading import TextFormat
    from manyheads.inference.formats import check_output, format_of, make_output
    from manyheads.inference.rows import open_input, predict_rows

    text = TextFormat(**typed_format(delimiter, quoting, encoding, decimal, columns))
    predictor = manyheads.load(run, int8=int8, runtime=runtime.value)
    wanted = predictor.task(task)
    with _scratch() as scratch, _named(scratch):
        spec = str(_spool(scratch, text.encoding)) if input_ == "-" else typed_files(input_)
        source = open_input(spec, wanted, None if input_format is None else input_format.value, text)
        output_format = format_of(source) if format_ is Format.same else format_.value
        if escape_formulas and output_format not in ("csv", "tsv"):
            raise typer.BadParameter(f"--escape-formulas is for csv and tsv, and the format is {output_format}")
        check_output(output_format, output, terminal=sys.stdout.isatty())
        made = make_output(output_format, wanted, source, decimal=text.decimal, escape_formulas=escape_formulas)
        tally = _Tally(scratch)
        for warning in source.warnings:
            tally.say(f"warning: {warning}")
        for usual, name in made.names.items():
            if name != usual:
                say(f"the input has a column {usual}, so the added column is named {name}", error=True)
        _write(made, tally.counted(predict_rows(predictor, wanted, source), source.name), output, scratch)
    if tally.failed:
        text_ = f"rows without a prediction: {tally.failed:,} of {tally.rows:,}"
        say(text_, error=True, colour=typer.colors.YELLOW)
        raise typer.Exit(INCOMPLETE)


class _Tally:
    """Counts rows, and prints the reason for each row without a prediction."""

    def __init__(self, scratch: Path) -> None:
        self._scratch = scratch
        self.rows = self.failed = 0
        self._hinted = False

    def say(self, text: str) -> None:
        """Print a message. Standard input has its own name in it, and not that of the temporary file."""
        say(_renamed(text, self._scratch), error=True)

    def counted(self, predictions: Iterable[RowPrediction], name: str) -> Iterator[RowPrediction]:
        """Yield the predictions unchanged. `name`: the file of rows that do not name their own."""
        from manyheads.data.reading import BadRow

        for each in predictions:
            self.rows += 1
            row = each.row
            file = row.source if isinstance(row, BadRow) else row.file or name
            if not isinstance(row, BadRow) and row.warning is not None:
                self.say(f"{file}:{row.line}: warning: {row.warning}")
            if each.record is None:
                self.failed += 1
                self.say(f"{file}:{row.line}: {each.error}")
                if isinstance(row, BadRow) and row.hint is not None and not self._hinted:
                    self._hinted = True
                    self.say("--delimiter, --quoting and --encoding describe how the input is written")
            yield each


def _write(made: Output, predictions: Iterator[RowPrediction], output: Path | None, scratch: Path) -> None:
    from manyheads.inference.formats import write_parquet, write_text

    if made.format == "parquet":
        with _file(output, scratch) as path:
            write_parquet(made, predictions, path, scratch)
    elif output is None:
        write_text(made, predictions, shown_output())
    else:
        with _file(output, scratch) as path, path.open("w", encoding="utf-8", newline="") as file:
            write_text(made, predictions, file)


@contextmanager
def _file(output: Path | None, scratch: Path) -> Iterator[Path]:
    """Yield a temporary file that becomes the output when it is complete.

    It replaces the output file, or is copied to standard output, to a pipe or to a device.
    """
    from manyheads.run.atomic import writing_to

    if output is not None:
        with writing_to(output) as temporary:
            yield temporary
        return
    path = scratch / "output"
    yield path
    with path.open("rb") as file:
        shutil.copyfileobj(file, sys.stdout.buffer)


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a temporary folder. A full disk is an error that names the folder of temporary files."""
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and str(error.filename or "").startswith(folder):
                raise _no_space() from error
            raise


def _no_space() -> RunError:
    hint = "free disk space, or set TMPDIR to another folder"
    return RunError("the disk of temporary files is full", where=tempfile.gettempdir(), hint=hint)


@contextmanager
def _named(scratch: Path) -> Iterator[None]:
    """Name standard input in errors about the temporary file that it was copied to."""
    try:
        yield
    except DataError as error:
        found = _renamed(error.found, scratch) if isinstance(error.found, str) else error.found
        parts = {part: _renamed(getattr(error, part), scratch) for part in ("where", "allowed", "hint")}
        raise DataError(_renamed(error.what, scratch) or "", found=found, **parts) from error


def _renamed(text: str | None, scratch: Path) -> Any:
    return None if text is None else re.sub(rf"{re.escape(str(scratch))}/input[.\w]*", "standard input", text)


def _spool(scratch: Path, encoding: str | None) -> Path:
    """Copy standard input to a file. Its ending is found from its beginning."""
    path = scratch / "input"
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(sys.stdin.buffer, file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_space() from error
        raise
    from manyheads.inference.sniff import ending_of

    return path.rename(path.with_name(f"input{ending_of(path, encoding)}"))
