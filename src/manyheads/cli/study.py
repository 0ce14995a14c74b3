"""`manyheads study`: every row of a study with every seed, and the table that comes of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.train import Changes

Study = Annotated[Path, typer.Argument(help="The study (a TOML file).", metavar="STUDY", show_default=False)]
Out = Annotated[
    Path | None, typer.Option("--out", help="The study's folder. Default: runs/<study's name>.", show_default=False)
]


def study(
    study: Study,
    out: Out = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Runs side by side. Default: cores / threads a run.", show_default=False),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on a Ray cluster: its address, or auto.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ROW", help="This row alone. May be repeated.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, metavar="N", help="The first N seeds alone.", show_default=False)
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
    set_: Changes = None,
) -> None:
    """Run what is missing of a study, then write its table. Safe to stop and to repeat."""
    from manyheads.cli.show_study import study_and_show

    study_and_show(
        study,
        set_ or [],
        out or Path("runs") / study.stem,
        jobs=jobs,
        ray=ray,
        only=only or [],
        seeds=seeds,
        retry_failed=retry_failed,
    )
