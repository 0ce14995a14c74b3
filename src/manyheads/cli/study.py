"""`manyheads study`: run every row of a study with every seed, and write the table."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.train import Changes

Study = Annotated[Path, typer.Argument(help="The study file (TOML).", metavar="STUDY", show_default=False)]
Out = Annotated[
    Path | None,
    typer.Option("--out", help="The folder of the study. Default: runs/<name of the study file>.", show_default=False),
]


def study(
    study: Study,
    out: Out = None,
    jobs: Annotated[
        int | None,
        typer.Option(min=1, help="Number of parallel runs. Default: cores / threads per run.", show_default=False),
    ] = None,
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Run on the Ray cluster with this address, or auto.", show_default=False),
    ] = None,
    only: Annotated[
        list[str] | None, typer.Option("--only", metavar="ROW", help="Run only this row. May be repeated.")
    ] = None,
    seeds: Annotated[
        int | None, typer.Option("--seeds", min=1, metavar="N", help="Run only the first N seeds.", show_default=False)
    ] = None,
    retry_failed: Annotated[bool, typer.Option("--retry-failed", help="Run failed cells again.")] = False,
    set_: Changes = None,
) -> None:
    """Run the missing runs of a study and write its table. Can be stopped and repeated at any time."""
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
