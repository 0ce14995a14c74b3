"""The command `manyheads train`: train one model from a recipe."""

from __future__ import annotations

from enum import StrEnum
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
Resume = Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint in the run folder.")]


class TrackerName(StrEnum):
    """The trackers of `--track`, one for each entry of `manyheads.training.tracking.TRACKERS`."""

    tensorboard = "tensorboard"
    trackio = "trackio"
    wandb = "wandb"
    mlflow = "mlflow"


def train(
    recipe: Recipe,
    set_: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The run folder. Default: runs/NAME for a recipe NAME.toml.", show_default=False),
    ] = None,
    resume: Resume = False,
    track: Annotated[
        list[TrackerName] | None,
        typer.Option("--track", help="Also send losses and metrics to this tracker. Repeatable."),
    ] = None,
) -> None:
    """Train one model on all tasks of a recipe."""
    from manyheads.cli.show import run_and_show

    trackers = [each.value for each in track or []]
    run_and_show(recipe, set_ or [], out or Path("runs") / recipe.stem, resume=resume, trackers=trackers)
