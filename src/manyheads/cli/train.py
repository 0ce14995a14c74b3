"""`manyheads train`: a recipe in, one trained model and its numbers out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

Recipe = Annotated[Path, typer.Argument(help="The recipe (a TOML file).", metavar="RECIPE", show_default=False)]
Changes = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Override a value: --set training.epochs=3. May be repeated."),
]


def train(
    recipe: Recipe,
    set_: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run folder. Default: runs/<recipe's name>.", show_default=False)
    ] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")] = False,
) -> None:
    """Train one model on all tasks of a recipe."""
    from manyheads.cli.show import run_and_show

    run_and_show(recipe, set_ or [], out or Path("runs") / recipe.stem, resume=resume)
