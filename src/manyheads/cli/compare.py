"""`manyheads compare`: compare finished runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.report import Form
from manyheads.cli.terminal import say, show


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN ...", help="Two or more finished runs. Differences are from the first one."),
    ],
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="The file to write. Default: standard output.", show_default=False
        ),
    ] = None,
    format_: Annotated[
        Form | None,
        typer.Option("--format", help="Default: from the extension of the file, else md.", show_default=False),
    ] = None,
) -> None:
    """Compare finished runs: metrics, paired differences with intervals, and examples with different predictions."""
    from manyheads.report.compare import compare as compare_runs
    from manyheads.report.compared import comparison_text
    from manyheads.run.atomic import writing_to

    ending = "" if output is None else output.suffix.lstrip(".")
    form = format_.value if format_ is not None else (ending if ending in tuple(Form) else Form.md.value)
    text = comparison_text(compare_runs(runs), form)
    if output is None:
        show(text)
    else:
        with writing_to(output) as file:
            file.write_text(text, encoding="utf-8", newline="")
        say(output)
