"""`manyheads compare`: finished runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.report import Form


def compare(
    runs: Annotated[
        list[Path], typer.Argument(metavar="RUN RUN ...", help="Finished runs; differences are from the first.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", metavar="FILE", help="Default: standard output.", show_default=False)
    ] = None,
    format_: Annotated[
        Form | None, typer.Option("--format", help="Default: what the file's name says, else md.", show_default=False)
    ] = None,
) -> None:
    """Compare finished runs: figures, paired differences with intervals, and the examples on which they part."""
    from manyheads.report.compare import compare as compare_runs
    from manyheads.report.compared import comparison_text
    from manyheads.run.atomic import write_text

    ending = "" if output is None else output.suffix.lstrip(".")
    form = format_.value if format_ is not None else (ending if ending in tuple(Form) else Form.md.value)
    text = comparison_text(compare_runs(runs), form)
    if output is None:
        typer.echo(text, nl=False)
    else:
        write_text(output, text)
        typer.echo(str(output))
