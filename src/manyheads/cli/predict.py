"""`manyheads predict`: predict one task for every row of a file."""

from __future__ import annotations

import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.options import (
    ColumnsOption,
    DecimalMark,
    DelimiterOption,
    EncodingOption,
    QuotingOption,
    typed_files,
    typed_format,
)
from manyheads.cli.terminal import say, shown_output

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
    xml = "xml"
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
            help="Format of the input: csv, tsv, json, jsonl, parquet, conll, conllu, fasttext, xml, or lines. "
            "Default: found from the name and the first bytes.",
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
        Format | None,
        typer.Option(
            "--format",
            help="Format of the output. same: as the input. course: as in the reference course. Default: from the "
            "extension of the file, else same.",
            show_default=False,
        ),
    ] = None,
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
    import manyheads as mh

    text = typed_format(delimiter, quoting, encoding, decimal, columns)
    if input_format is not None:
        text["format"] = input_format.value
    done = mh.predict(
        mh.load(run, int8=int8, runtime=runtime.value),
        task,
        sys.stdin.buffer if input_ == "-" else typed_files(input_),
        shown_output() if output is None else output,
        form=None if format_ is None else format_.value,
        text_format=text,
        escape_formulas=escape_formulas,
        notify=lambda message: say(message, error=True),
        progress=False,
    )
    if done.failed:
        text_ = f"rows without a prediction: {done.failed:,} of {done.rows:,}"
        say(text_, error=True, colour=typer.colors.YELLOW)
        raise typer.Exit(INCOMPLETE)
