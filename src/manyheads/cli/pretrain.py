"""`manyheads pretrain`: masked language modelling on a recipe's own texts."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.cli.train import Changes, Recipe

if TYPE_CHECKING:
    from rich.table import Table


def pretrain(
    recipe: Recipe,
    set_: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Copy the encoder to this folder. Default: it stays in the cache.", show_default=False
        ),
    ] = None,
) -> None:
    """Pretrain the encoder on the recipe's texts, as its [pretraining] table says. `train` does so by itself."""
    from rich.console import Console

    console = Console(soft_wrap=True)
    with console.status("starting"):
        from manyheads.cli.progress import ProgressDisplay
        from manyheads.recipe.load import load_recipe
        from manyheads.recipe.pretrain import pretrain as pretrain_recipe
        from manyheads.training.stop import Interrupted

        loaded = load_recipe(recipe, set_ or [])
    try:
        with ProgressDisplay(console) as display:
            found = pretrain_recipe(loaded, out, listeners=[display])
    except Interrupted as stopped:
        console.print("Stopped. The same command goes on from there.", markup=False)
        raise SystemExit(128 + stopped.signal_number) from None
    console.print(_table(found.summary))
    console.print(_corpus(found.summary), markup=False, highlight=False)
    console.print(
        f"\nThe encoder is in {found.folder}: name it as `encoder` in a recipe.", markup=False, highlight=False
    )


def _table(summary: Mapping[str, Any]) -> Table:
    from rich.table import Table

    table = Table(title="held-out masked language modelling (dev texts, fixed masks)", title_justify="left")
    for column in ("epoch", "loss", "perplexity"):
        table.add_column(column, justify="right")
    for entry in summary["evaluations"]:
        epoch = "before" if entry["epoch"] == 0 else f"{entry['epoch']:g}"
        table.add_row(epoch, f"{entry['loss']:.4f}", f"{entry['perplexity']:.2f}")
    return table


def _corpus(summary: Mapping[str, Any]) -> str:
    train, held_out = summary["corpus"]["train"], summary["corpus"]["held_out"]
    left_out = [
        f"{train['duplicates']:,} repeated",
        f"{train['short']:,} short",
        f"{train['in_dev']:,} in a dev file",
        f"{train['in_test']:,} in a test file",
    ]
    lines = [
        f"texts: {train['kept']:,} of {train['texts']:,} learnt from, {held_out['kept']:,} held out",
        f"left out: {', '.join(left_out)}",
        f"{summary['steps']:,} steps in {summary['seconds']:.0f} s of training; key {summary['key'][:16]}",
    ]
    if summary["head"] == "new":
        lines.append('the checkpoint had no head: "before" is with a new one, trained with the encoder frozen')
    return "\n".join(lines)
