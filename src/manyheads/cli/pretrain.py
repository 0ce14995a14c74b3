"""The command `manyheads pretrain`: masked language modelling on the texts of a recipe."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from manyheads.cli.terminal import make_console
from manyheads.cli.train import Changes, Recipe

if TYPE_CHECKING:
    from rich.table import Table


def pretrain(
    recipe: Recipe,
    set_: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Copy the encoder to this new folder. Default: keep it in the cache only.", show_default=False
        ),
    ] = None,
) -> None:
    """Pretrain the encoder on the texts of a recipe.

    The [pretraining] table of the recipe sets the options. `manyheads train` pretrains by itself if the recipe has
    this table. Use this command to inspect the result, or to use the encoder in other recipes.
    """
    console = make_console(soft_wrap=True)
    with console.status("starting"):
        from manyheads.cli.progress import ProgressDisplay
        from manyheads.recipe.load import load_recipe
        from manyheads.recipe.pretrain import pretrain as pretrain_recipe
        from manyheads.training.stop import Interrupted, StopFlag

        loaded = load_recipe(recipe, set_ or [])
    try:
        with ProgressDisplay(console) as display:
            stop = StopFlag(ends_process=True)
            pretrained = pretrain_recipe(loaded, out, listeners=[display], stop=stop, tune_allocator=True)
    except Interrupted as stopped:
        console.print("Stopped. Run the same command again to resume.", markup=False)
        raise SystemExit(128 + stopped.signal_number) from None
    console.print(_table(pretrained.summary))
    console.print(_corpus(pretrained.summary), markup=False, highlight=False)
    key = f"encoder = {json.dumps(str(pretrained.folder.absolute()), ensure_ascii=False)}"
    text = f"\nThe encoder is in {pretrained.folder}. To use it in a recipe:\n  {key}"
    console.print(text, markup=False, highlight=False)


def _table(summary: Mapping[str, Any]) -> Table:
    """Return the held-out loss and perplexity before pretraining and after each epoch."""
    from rich.table import Table

    table = Table(title="held-out masked language modelling (dev texts, fixed masks)", title_justify="left")
    for column in ("epoch", "loss", "perplexity"):
        table.add_column(column, justify="right", no_wrap=True)
    for entry in summary["evaluations"]:
        epoch = "before" if entry["epoch"] == 0 else f"{entry['epoch']:g}"
        table.add_row(epoch, f"{entry['loss']:.4f}", f"{entry['perplexity']:.2f}")
    return table


def _corpus(summary: Mapping[str, Any]) -> str:
    """Return what the corpus consists of, which texts were excluded and why, and how long pretraining took."""
    from manyheads.cli.show import plural

    train, held_out = summary["corpus"]["train"], summary["corpus"]["held_out"]
    excluded = [
        f"{train['duplicates']:,} repeated",
        f"{train['short']:,} short",
        f"{train['in_dev']:,} in a dev file",
        f"{train['in_test']:,} in a test file",
    ]
    lines = [
        f"texts: {train['kept']:,} of {train['texts']:,} used for training, {held_out['kept']:,} held out",
        f"excluded: {', '.join(excluded)}",
        f"{plural(summary['steps'], 'step')} in {summary['seconds']:.0f} s of training; key {summary['key'][:16]}",
    ]
    if summary["head"] == "new":
        lines.append('The checkpoint had no head. "before" is with a new head, trained with the encoder frozen.')
    return "\n".join(lines)
