"""`manyheads report`: what a finished run is good at, where it fails, and where it comes from."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.predict import RunFolderArgument


class Form(StrEnum):
    """What is printed in place of writing files."""

    html = "html"
    md = "md"
    json = "json"


def report(
    run: RunFolderArgument,
    out: Annotated[
        Path | None, typer.Option("--out", help="Where to. Default: report in the run's folder.", show_default=False)
    ] = None,
    format_: Annotated[
        Form | None, typer.Option("--format", help="Print this form, and write no files.", show_default=False)
    ] = None,
) -> None:
    """Write a finished run's report: report.html (one page, no network), report.md, report.json and figures."""
    from manyheads.report.build import build_report
    from manyheads.report.write import text_of, write_report

    if format_ is not None:
        typer.echo(text_of(build_report(run), format_.value), nl=False)
        return
    typer.echo(str(write_report(run, out)))
