"""`manyheads export`: a finished run's model for another runtime."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer


class Target(StrEnum):
    """What to export to."""

    onnx = "onnx"


def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A finished run's folder.", show_default=False)],
    to: Annotated[Target, typer.Option("--to", help="The form to write.")],
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Where to write it; by default RUN/onnx.")
    ] = None,
) -> None:
    """Export a finished run's model, and check it against the model on the dev files."""
    from manyheads.recipe.export import export_run

    target = out or run / to.value
    largest = export_run(run, target)
    typer.echo(f"{target}: largest difference from the model on the dev files {largest:.1e}")
