"""`manyheads report`: write the report of a finished run."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.predict import RunFolderArgument
from manyheads.cli.terminal import say, show


class Form(StrEnum):
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
        Form | None, typer.Option("--format", help="Print this format instead of writing files.", show_default=False)
    ] = None,
) -> None:
    """Write the report of a finished run: report.html (one self-contained page), report.md, report.json and figures."""
    from manyheads.api import finished

    if format_ is not None:
        show(finished.report_text(run, format_.value))
        return
    say(finished.report(run, out))
