"""`manyheads export`: a finished run's model for other runtimes and libraries."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Target(StrEnum):
    """What to export to."""

    onnx = "onnx"
    hub = "hub"
    torch_export = "torch-export"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run's folder.", show_default=False)],
    to: Annotated[
        Target, typer.Option("--to", help="ONNX graphs; a repository for the hub; programs of torch.export.")
    ],
    out: Annotated[
        Path | None,
        typer.Option("--out", metavar="DIR", help="Default: a folder of that name in RUN.", show_default=False),
    ] = None,
    int8: Annotated[
        bool, typer.Option("--int8", help="ONNX: also an encoder in 8-bit integers; prints what it costs.")
    ] = False,
    check: Annotated[
        bool, typer.Option("--check/--no-check", help="Hold the export to the model on the dev files.")
    ] = True,
) -> None:
    """Export a finished run's model, held to the model itself on the dev files."""
    from rich.console import Console

    from manyheads.cli.evaluate import table_of
    from manyheads.recipe.export import export_run

    found = export_run(run, to.value, out, int8=int8, check=check)
    if found.measured is not None:
        Console().print(table_of(found.measured, "dev files, in onnxruntime"))
    typer.echo(str(found.folder))
    if found.largest is None:
        typer.echo("not compared with the model")
    elif found.compared:
        tasks = ", ".join(found.compared)
        typer.echo(f"largest difference from the model {found.largest:.1e} ({tasks}: {found.examples:,} dev examples)")
    if to is Target.hub:
        typer.echo(f"to publish it: hf upload NAME/MODEL {found.folder}")
