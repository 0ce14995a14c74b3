"""The commands on finished runs: `manyheads report`, `compare`, `evaluate` and `export`."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from manyheads.cli.options import (
    ColumnsOption,
    DecimalOption,
    DelimiterOption,
    EncodingOption,
    QuotingOption,
    typed_files,
    typed_format,
)
from manyheads.cli.predict import RunFolderArgument
from manyheads.cli.terminal import make_console, say, show

if TYPE_CHECKING:
    from rich.table import Table

    from manyheads.runs.measure import Measurement


class _Form(StrEnum):
    """Formats that can be printed."""

    html = "html"
    md = "md"
    json = "json"


def report(
    run: RunFolderArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="The folder of the report. Default: RUN/report.", show_default=False)
    ] = None,
    format_: Annotated[
        _Form | None, typer.Option("--format", help="Print this format instead of writing files.", show_default=False)
    ] = None,
) -> None:
    """Write the report of a finished run: report.html (one self-contained page), report.md, report.json and figures."""
    from manyheads.api import finished

    if format_ is not None:
        show(finished.report_text(run, format_.value))
        return
    say(finished.report(run, out))


WITH = "--with"


class CompareCommand(TyperCommand):
    """A command whose option `--with` takes all arguments up to the next option, as shells expand patterns."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with `--with` repeated before each run of the second group."""
        return super().parse_args(ctx, repeated(args))


def repeated(args: Sequence[str]) -> list[str]:
    """Return the arguments with `--with A B` written as `--with A --with B`."""
    words: list[str] = []
    inside = False
    for word in args:
        if word.startswith("-") and word != "-":
            inside = word == WITH
            words += [] if inside else [word]
        else:
            words += [WITH, word] if inside else [word]
    return words + ([WITH] if args and args[-1] == WITH else [])


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN ...", help="Two or more finished runs. Differences are from the first one."),
    ],
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="RUN RUN ...",
            help="A second group of runs. Each group is one recipe with several seeds. Differences are the second "
            "group minus the first, with intervals and p values that cover the seeds.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="The file to write. Default: standard output.", show_default=False
        ),
    ] = None,
    format_: Annotated[
        _Form | None,
        typer.Option("--format", help="Default: from the extension of the file, else md.", show_default=False),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Compare finished runs: metrics, paired differences with intervals, and examples with different predictions."""
    import manyheads as mh

    ending = "" if output is None else output.suffix.lstrip(".")
    given = _Form.json if json_ else format_
    form = given if given is not None else (_Form(ending) if ending in tuple(_Form) else _Form.md)
    compared = mh.compare(runs, with_ or ())
    if output is None:
        show(compared.text(form.value))
    else:
        say(compared.save(output, form.value))


SHOWN = 10
"""Skipped rows that are named on standard error. With --json, all of them are in the output."""

NARROW = 80
"""Terminals with fewer columns get a table without borders."""


class SplitName(StrEnum):
    """A split of the recipe."""

    dev = "dev"
    test = "test"


def evaluate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.", show_default=False)],
    split: Annotated[SplitName, typer.Option("--split", help="Files of the recipe to use.")] = SplitName.dev,
    task: Annotated[str | None, typer.Option("--task", help="Measure only this task.", show_default=False)] = None,
    input_: Annotated[
        str | None,
        typer.Option(
            "--input",
            metavar="FILE",
            help="Labelled file to use instead, or a folder, a pattern, a data set on the hub, or a file of lines for "
            'each column: \'{text = "seq.in", label = "label"}\'. Needs --task.',
            show_default=False,
        ),
    ] = None,
    input_format: Annotated[
        str | None,
        typer.Option(
            "--input-format",
            metavar="NAME",
            help="Format of that file: one of the names that the key `format` of a task may have.",
            show_default=False,
        ),
    ] = None,
    delimiter: DelimiterOption = None,
    quoting: QuotingOption = None,
    encoding: EncodingOption = None,
    decimal: DecimalOption = None,
    columns: ColumnsOption = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="Also measure the model in 8-bit integers: metrics and seconds.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Measure the model of a finished run on its dev or test files, or on another file.

    By default, another file is read as the recipe says for the files of its task.
    """
    if input_ is not None and task is None:
        raise typer.BadParameter("--input needs --task, the task that the file is for")
    import json

    import manyheads as mh

    text = typed_format(delimiter, quoting, encoding, decimal, columns)
    if input_format is not None:
        text["format"] = input_format
    file = None if input_ is None else typed_files(input_)
    measurement = mh.evaluate(run, split.value, task=task, data=file, text_format=text, int8=int8)
    _name_faults(measurement)
    if as_json:
        typer.echo(json.dumps(measurement.to_dict(), indent=2))
        return
    console = make_console()
    console.print(_table_of(measurement, str(input_ or f"{split.value} files"), console.width))


def _name_faults(measurement: Measurement) -> None:
    """Name the rows that were skipped, and what was suspicious in the files, on standard error."""
    for text in measurement.warnings:
        say(text, error=True, colour=typer.colors.YELLOW)
    for name, bad in measurement.bad_rows.items():
        for row in bad[:SHOWN]:
            say(row, error=True)
        if len(bad):
            rows = "1 row" if len(bad) == 1 else f"{len(bad):,} rows"
            more = f" (the first {SHOWN} are named)" if len(bad) > SHOWN else ""
            say(
                f"{name}: {rows} without a usable text and label, not measured{more}",
                error=True,
                colour=typer.colors.YELLOW,
            )


def _table_of(measurement: Measurement, title: str, width: int) -> Table:
    """Return a table with one row per metric.

    Its last column is the 95% interval, or the difference of the quantised model if that was measured. No column is
    dropped or shortened: long names are folded where the terminal has few columns (`width`).
    """
    from rich.table import Table
    from rich.text import Text

    columns, rows = measurement.cells
    table = Table(title=Text(title, overflow="fold"), title_justify="left")
    if width < NARROW:
        table.box, table.pad_edge, table.padding = None, False, (0, 1, 0, 0)
    for column in columns:
        words = column in ("task", "metric")
        table.add_column(column, **({"overflow": "fold"} if words else {"justify": "right", "no_wrap": True}))
    for place, row in enumerate(rows):
        if place and row[0] not in ("", "seconds"):
            table.add_section()
        table.add_row(*row)
    return table


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of a finished run.", show_default=False)],
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="TARGET",
            help="Target: onnx (ONNX graphs), hub (a repository for the hub), torch-export (torch.export programs), or "
            "the name of a registered exporter.",
            autocompletion=lambda: ["onnx", "hub", "torch-export"],
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Folder to write. Default: RUN/TARGET.", show_default=False),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="With --to onnx, also write and measure an encoder in 8-bit integers.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Check the export against the model on the dev files.")
    ] = True,
) -> None:
    """Export the model of a finished run.

    The export is checked against the model on the dev files, and is not written if it differs.
    """
    import manyheads as mh

    done = mh.export(run, to, out, int8=int8, check=check)
    if done.measured is not None:
        console = make_console()
        console.print(_table_of(done.measured, "dev files, in onnxruntime", console.width))
    for line in done.findings:
        say(line)
    if done.warning is not None:
        typer.secho(f"warning: {done.warning}", fg=typer.colors.YELLOW, err=True)
