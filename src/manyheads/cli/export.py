"""`manyheads export`: export a model to other runtimes and libraries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.terminal import make_console, say


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
    import shlex

    import manyheads as mh
    from manyheads.cli.evaluate import table_of
    from manyheads.runs.export import exporter_named

    exporter = exporter_named(to)
    done = mh.export(run, to, out, int8=int8, check=check)
    if done.measured is not None:
        console = make_console()
        console.print(table_of(done.measured, "dev files, in onnxruntime", console.width))
    for line in done.findings:
        say(line)
    if exporter.warning is not None:
        typer.secho(f"warning: {exporter.warning}", fg=typer.colors.YELLOW, err=True)
    if exporter.advice is not None:
        say(exporter.advice.format(folder=shlex.quote(str(done.folder))))
