"""The command `manyheads train`: train one model from a recipe."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Recipe = Annotated[Path, typer.Argument(help="The recipe: a TOML file.", metavar="RECIPE", show_default=False)]
Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a value of the recipe: --set training.epochs=3. Repeatable."
    ),
]
TRACKERS = ("tensorboard", "trackio", "wandb", "mlflow")
"""The trackers of the package, for completion, which must not import torch."""

Resume = Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint in the run folder.")]


def train(
    recipe: Recipe,
    set_: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The run folder. Default: runs/NAME for a recipe NAME.toml.", show_default=False),
    ] = None,
    resume: Resume = False,
    track: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="TRACKER",
            help="Also send losses and metrics to this tracker: tensorboard, trackio, wandb, mlflow, or the name of a "
            "registered tracker. Repeatable.",
            autocompletion=lambda: [*TRACKERS],
        ),
    ] = None,
) -> None:
    """Train one model on all tasks of a recipe."""
    from manyheads.cli.show import run_and_show

    run_and_show(recipe, set_ or [], out or Path("runs") / recipe.stem, resume=resume, trackers=track or [])
